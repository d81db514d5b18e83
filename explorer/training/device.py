"""The device a run runs on: opened, and described for the record."""

import os
import platform
from importlib.metadata import version

from explorer import machine
from explorer.errors import UserError
from explorer.record import Environment


def open_device() -> str:
    """The name of tinygrad's default device, opened.

    Raises UserError in one line where the device that was asked for is not to be had.
    """
    asked = os.environ.get("DEV", "")
    try:
        from tinygrad import Device

        Device[Device.DEFAULT].renderer  # noqa: B018  opening it is the point
        return Device.DEFAULT
    except Exception as error:  # every backend fails in its own way
        raise cannot_open(asked, error) from None


def cannot_open(device: str, error: Exception) -> UserError:
    """One line on a device that is not to be had; an empty name is the default device's."""
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return UserError(f"device {device or '(default)'} cannot be opened here ({reason[:160]}); try --device CPU")


def describe() -> Environment:
    """What a run here runs on: device, renderer, kernels, versions, CPU, and the state of the code."""
    from tinygrad import Device

    from explorer.models.kernels.native import VERSION, enabled, native

    kernels = native() if enabled() else None
    commit, dirty = machine.git_state()
    return Environment(
        device=Device.DEFAULT,
        renderer=type(Device[Device.DEFAULT].renderer).__name__,
        kernels=VERSION if kernels else 0,
        tinygrad=version("tinygrad"),
        python=platform.python_version(),
        cpu=machine.cpu_model(),
        cores=machine.cores(),
        threads=kernels.threads if kernels else None,
        commit=commit,
        dirty=dirty,
    )
