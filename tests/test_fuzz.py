"""A fixed slice of the fuzzer's cases, and that it can fail."""

from tests import fuzz


def test_a_fixed_slice_of_odd_input_ends_in_results_or_in_a_line():
    assert list(fuzz.failures(range(600))) == []


def test_what_is_no_line_for_a_person_is_found(monkeypatch):
    def broken(chance, folder):
        raise KeyError("seed")

    monkeypatch.setattr(fuzz, "KINDS", [broken])
    ((seed, what),) = fuzz.failures(range(1))
    assert (seed, "KeyError" in what) == (0, True)
