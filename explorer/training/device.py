"""The device a run runs on: chosen, opened, tried, and described for the record."""

import os
import platform
from importlib.metadata import version

from explorer import machine
from explorer.errors import UserError
from explorer.record import Environment

# tinygrad's names of what may be a GPU, in tinygrad's own order. WEBGPU is not among them: it may be anything.
GPUS = ("METAL", "AMD", "NV", "CUDA", "QCOM", "CL")

NODE_VARIABLE = "MNIST_EXPLORER_NODE"  # what records call this node of a cluster; its workers set it


def open_device() -> str:
    """The name of the device that runs are to run on, opened, tried on a sum, and made tinygrad's default.

    What DEV (or tinygrad's own setting of that name) asks for is taken; else the first GPU that works, else the CPU.
    An OpenCL driver may be another way to the CPU, one without our kernels: it is taken only when asked for.
    Raises UserError in one line where the device that was asked for is not to be had.
    """
    asked = os.environ.get("DEV", "")
    try:
        from tinygrad import Device
        from tinygrad.helpers import DEV

        asked = repr(DEV)
        if not DEV.device:
            DEV.value = os.environ["DEV"] = next((name for name in GPUS if _is_gpu(name)), "CPU")
            # worker processes read the variable
        _try(Device.DEFAULT)
        return Device.DEFAULT
    except Exception as error:  # every backend fails in its own way
        raise cannot_open(asked, error) from None


def usual_jobs(device: str) -> int:
    """How many runs at once unless told otherwise: processes share a CPU's cores well, but not a GPU."""
    return machine.cores() if device.split(":")[0] == "CPU" else 1


def _is_gpu(name: str) -> bool:
    """Whether the device is there, works, and is no processor in an OpenCL driver's clothes."""
    try:
        if name == "CL" and _is_processor():
            return False
        _try(name)
    except Exception:  # every backend fails in its own way
        return False
    return True


def _try(name: str) -> None:
    """Raises whatever the device raises that cannot be opened, compiled for, copied to or from, or that cannot add."""
    from tinygrad import Tensor

    numbers = [float(number) for number in range(32)]  # enough for vectors, which not every compiler knows
    if (found := (Tensor(numbers, device=name) + 1).tolist()) != [number + 1 for number in numbers]:
        raise RuntimeError(f"it makes {found} of [0, 1, ... 31] + 1")


def _is_processor() -> bool:
    """Whether the OpenCL device that tinygrad takes is a CPU."""
    import ctypes

    from tinygrad import Device
    from tinygrad.runtime.autogen import opencl
    from tinygrad.runtime.ops_cl import CLDevice, check

    device = Device["CL"]
    assert isinstance(device, CLDevice)
    kind = ctypes.c_uint64()
    check(opencl.clGetDeviceInfo(device.cl_dev, opencl.CL_DEVICE_TYPE, 8, ctypes.byref(kind), None))
    return bool(kind.value & opencl.CL_DEVICE_TYPE_CPU)


def cannot_open(device: str, error: Exception) -> UserError:
    """One line on a device that is not to be had; an empty name is the default device's."""
    while isinstance(error, ExceptionGroup):  # of several ways to a device: why the first one tinygrad tries is none
        error = error.exceptions[0]
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return UserError(f"device {device or '(default)'} cannot be used here ({reason[:160]}); try --device CPU")


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
        node=os.environ.get(NODE_VARIABLE),
    )
