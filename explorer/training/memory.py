"""A device's memory: made once, overwritten in place, because a captured step goes on reading where it did."""

from typing import Any

import numpy as np
from tinygrad import Tensor
from tinygrad.device import Buffer


def buffer(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A tensor with memory of its own, zeroed, that `write` can fill and a captured step can read."""
    tensor = Tensor.empty(*shape, dtype=dtype).is_param_(False)
    write(tensor, np.zeros(shape, np.dtype(dtype.fmt)))
    return tensor


def write(tensor: Tensor, values: np.ndarray) -> None:
    """Overwrite a tensor's memory in place: what a captured step reads is what was last written.

    ``values`` must not change before the device is next waited for: it may copy them later.
    """
    memory = tensor.uop.buffer
    assert isinstance(memory, Buffer)  # not one spread over several devices
    memory.ensure_allocated()
    if hasattr(memory.allocator, "_as_buffer"):  # host memory: written directly once the device is idle
        memory.as_memoryview(force_zero_copy=True)[:] = np.ascontiguousarray(values).data.cast("B")
    else:  # writable, though it is only read: what takes its address accepts nothing else
        content = np.require(values, requirements=("C", "W")).data.cast("B")
        memory.copy_from(Buffer("PYTHON", memory.size, memory.dtype, opaque=content))


def gather(tensor: Tensor, source: np.ndarray, chosen: np.ndarray) -> None:
    """`write` what ``source[chosen]`` is (of the tensor's own type), where host and device share memory without a copy
    in between. IndexError for a place that ``source`` does not have."""
    memory = tensor.uop.buffer
    assert isinstance(memory, Buffer)
    if hasattr(memory.ensure_allocated().allocator, "_as_buffer"):
        flat = np.frombuffer(memory.as_memoryview(force_zero_copy=True), source.dtype)
        if chosen.min(initial=0) < 0 or chosen.max(initial=0) >= len(source):
            raise IndexError(f"there are {len(source)} rows to choose from")
        # clip: the default checks each place, and gathers into a copy to be able to
        np.take(source, chosen, axis=0, out=flat.reshape(len(chosen), *source.shape[1:]), mode="clip")
    else:
        write(tensor, source[chosen])


def read(tensor: Tensor) -> np.ndarray:
    """A copy in the host's memory, once the device has done all it was given."""
    return tensor.numpy()
