"""Rotation, zoom and shift do to an image what their names say."""

import numpy as np
import pytest
from scipy import ndimage
from tinygrad import Tensor

from explorer.training.augment import augment


def moved(images, draws, angle=0.0, scale=0.0, shift=0.0, sampling="nearest", pivot="center"):
    numbers = (Tensor([float(value)]) for value in (angle, scale, shift))
    return augment(Tensor(images), Tensor(np.array(draws, np.float32)), *numbers, sampling, pivot).numpy()


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (3, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize("sampling", ["nearest", "bilinear"])
def test_no_magnitude_leaves_every_pixel_alone(images, sampling):
    np.testing.assert_allclose(moved(images, [[1, -1, 1, 1]] * 3, sampling=sampling), images, atol=1e-3)


def test_a_quarter_turn_is_a_quarter_turn(images):
    turned = moved(images, [[1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]], angle=90)
    np.testing.assert_array_equal(turned[0], np.rot90(images[0], -1))
    np.testing.assert_array_equal(turned[1], np.rot90(images[1], 1))
    np.testing.assert_array_equal(turned[2], images[2])


def test_a_shift_moves_right_and_down_and_what_comes_in_is_black(images):
    shifted = moved(images, [[0, 0, 1, 0.5]] * 3, shift=2)
    np.testing.assert_array_equal(shifted[:, 1:, 2:], images[:, :-1, :-2])
    assert (shifted[:, :, :2] == 0).all()
    assert (shifted[:, :1] == 0).all()


def test_half_a_pixel_of_shift_averages_neighbours_when_bilinear(images):
    shifted = moved(images, [[0, 0, 1, 0]] * 3, shift=0.5, sampling="bilinear")
    np.testing.assert_allclose(shifted[:, :, 1:], (images[:, :, 1:] / 2.0 + images[:, :, :-1] / 2.0), atol=1e-3)


def test_zoom_enlarges_about_the_center_or_about_the_corner():
    dot = np.zeros((1, 9, 9), np.uint8)
    dot[0, 4, 4] = dot[0, 2, 2] = 255
    centred = moved(dot, [[0, 1, 0, 0]], scale=0.999)
    assert centred[0, 4, 4] == 255
    assert centred[0, 0, 0] == 255
    cornered = moved(dot, [[0, 1, 0, 0]], scale=0.999, pivot="corner")
    assert cornered[0, 8, 8] == 255
    assert cornered[0, 4, 4] == 255
    assert cornered[0, 0, 0] == 0


@pytest.mark.parametrize(("sampling", "order"), [("nearest", 0), ("bilinear", 1)])
def test_a_mixed_move_agrees_with_scipy(sampling, order):
    images = ndimage.gaussian_filter(np.random.default_rng(1).random((2, 28, 28)), (0, 2, 2)) * 1000
    images[:, :6] = images[:, -6:] = images[:, :, :6] = images[:, :, -6:] = 0
    images = images.astype(np.float32)
    draws = np.array([[0.7, -0.4, 0.3, -0.8], [-0.2, 0.9, -0.5, 0.6]], np.float32)
    found = moved(images, draws, angle=25, scale=0.2, shift=3, sampling=sampling)
    for image, (turn, zoom, across, down), got in zip(images, draws, found, strict=True):
        angle, factor, middle = np.deg2rad(25 * turn), 1 + 0.2 * zoom, 13.5
        # scipy maps output (row, column) to input by matrix @ output + offset
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
        offset = middle - matrix @ (np.array([middle, middle]) + np.array([3 * down, 3 * across]))
        expected = ndimage.affine_transform(image, matrix, offset, order=order, mode="constant")
        agree = np.abs(got - expected) < 0.05
        assert agree.mean() > 0.995  # nearest may round a tie the other way
