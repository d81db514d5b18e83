"""The C kernels as differentiable tensor functions, each equal to the tinygrad expression its docstring names.

A call becomes one small generated C function in the captured step: it fills the kernels' argument structs with the
buffers' addresses and the sizes, and hands them to the threads.
"""

from collections.abc import Callable, Sequence

from tinygrad import Device, Tensor, UOp
from tinygrad.helpers import TRAINING
from tinygrad.uop.ops import KernelInfo, Ops, ProgramInfo

from explorer.models.kernels.native import (
    FIRST_STAGE,
    KERNELS,
    POOL,
    RUN,
    SCRATCH,
    STAGES,
    Native,
    image_shares,
    native,
)

LEAST_CHANNELS, LEAST_POINTS = 4, 16  # channels in, results of an image: from which on Winograd's is the faster one
MAX_BUFFERS = 60  # a tinygrad CPU program takes 63 arguments

Member = int | str | None  # of an argument struct: a size, "b3" for the address of the fourth buffer, None for NULL
Task = tuple[str, Sequence[Member]]  # a kernel and its argument struct
Gradient = Callable[[UOp, UOp], tuple[UOp | None, ...]]
SCRATCH_MEMBER = f"table[{SCRATCH}]"


def loaded() -> Native:
    kernels = native()
    assert kernels is not None, "ask enabled() first"
    return kernels


def fuses_activation(name: str | None) -> bool:
    """Whether linear and conv2d take this activation: not where its entry has no C."""
    return name in loaded().activations


def fuses_optimizer(name: str) -> bool:
    """Whether optimizer_step takes this rule: not where its entry has no C."""
    return (name, False) in loaded().optimizers


def dimensions(x: Tensor) -> tuple[int, ...]:
    """x.shape, which here is always of plain numbers."""
    return tuple(int(side) for side in x.shape)


def call(
    outputs: list[Tensor], inputs: list[Tensor], tasks: list[Task], gradient: Gradient | None = None
) -> list[Tensor]:
    """Run ``tasks`` one after the other on all threads; returns ``outputs`` as they are after that.

    Outputs may be tensors to overwrite. In ``tasks`` buffers are numbered outputs first, then inputs.
    """
    buffers = [*outputs, *inputs, loaded().table]
    assert len(buffers) <= MAX_BUFFERS, "too many buffers for one program"
    source = _source(tasks, len(buffers) - 1)
    name = "_".join(dict.fromkeys(kernel for kernel, _ in tasks))  # what a profile calls it

    def program(*parameters: UOp) -> UOp:
        renderer = Device["CPU"].renderer
        sink = UOp.sink(*parameters, arg=KernelInfo(name=name))
        everything = tuple(range(len(parameters)))
        info = ProgramInfo(name, globals=everything, outs=everything[: len(outputs)], ins=everything[len(outputs) :],
                           target=renderer.target)  # fmt: skip
        binary = renderer.compiler.compile_cached(source)
        linear = UOp(Ops.LINEAR, src=tuple(sink.toposort()))
        return UOp(Ops.PROGRAM, src=(sink, linear, UOp(Ops.SOURCE, arg=source), UOp(Ops.BINARY, arg=binary)), arg=info)

    return Tensor.custom_kernel(*buffers, fxn=program, grad_fxn=gradient)[: len(outputs)]


def _source(tasks: list[Task], buffers: int) -> str:
    parameters = "".join(f"word b{index}, " for index in range(buffers))
    lines = []
    for index, (_, members) in enumerate(tasks):
        values = ", ".join("0" if member is None else str(member) for member in members)
        lines.append(f"  word arguments{index}[] = {{{values}}};")
    stages = [(stage, index) for index, (name, _) in enumerate(tasks) for stage in KERNELS[name]]
    parts = [
        f"table[{FIRST_STAGE + STAGES.index(stage)}], (word)arguments{index}, {loaded().shares(stage, tasks[index][1])}"
        for stage, index in stages
    ]
    lines.append(f"  word tasks[] = {{{', '.join(parts)}}};")
    lines.append(f"  ((void (*)(word, word *, word))table[{RUN}])(table[{POOL}], tasks, {len(stages)});")
    return f"typedef long word;\nvoid call({parameters}word *table) {{\n" + "\n".join(lines) + "\n}\n"


def linear(x: Tensor, weight: Tensor, bias: Tensor, activation: str | None = None) -> Tensor:
    """x (B, I), weight (O, I), bias (O,) -> (B, O): activation(x @ weight.T + bias)

    Through an activation gradients flow under ``Context(TRAINING=1)`` alone: else what they need is not kept.
    """
    (rows, inputs), (outputs, _), kind = dimensions(x), dimensions(weight), loaded().activations[activation]
    loaded().reserve_gemm(rows, outputs, inputs)
    result, before = Tensor.empty(rows, outputs), Tensor.empty(rows, outputs)

    def gradient(upstream: UOp, forward: UOp) -> tuple[UOp | None, ...]:
        operands = [Tensor(source) for source in forward.src[1:]]
        x, weight = operands[-4], operands[-3]
        z = [Tensor(forward.src[2].after(forward))] if activation else []
        g, d_bias = call(
            [Tensor.empty(rows, outputs), Tensor.empty(outputs)],
            [Tensor(upstream), *z],
            [("activation_gradient", ("b0", "b1", "b2", "b3" if activation else None, rows, outputs, kind))],
        )
        d_x, d_weight = matmul(g, weight), matmul(g, x, transpose_a=True)
        nothing = (None,) * (len(operands) - 4)
        return (*nothing, d_x.uop, d_weight.uop, d_bias.uop, None)

    sizes = (rows, outputs, inputs, 0, 1, kind)
    if activation is None or not TRAINING:  # without gradients the activation takes the place of what it is of
        task: Task = ("gemm", ("b0", "b0" if activation else None, "b1", "b2", "b3", SCRATCH_MEMBER, *sizes))
        return call([result], [x, weight, bias], [task], None if activation else gradient)[0]
    task = ("gemm", ("b1", "b0", "b2", "b3", "b4", SCRATCH_MEMBER, *sizes))
    return call([result, before], [x, weight, bias], [task], gradient)[0]


def matmul(
    a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False, symmetric: bool = False
) -> Tensor:
    """op(a) (M, K) @ op(b) (K, N) -> (M, N), where op transposes if asked to. No gradient.

    ``symmetric``: the product is known to be, to the bit, as a @ a.T is; it then takes half the time.
    """
    rows, inner = dimensions(a)[::-1] if transpose_a else dimensions(a)
    columns = dimensions(b)[0 if transpose_b else 1]
    loaded().reserve_gemm(rows, columns, inner)
    sizes = (rows, columns, inner, int(transpose_a), int(transpose_b), 0)
    kernel = "gemm_symmetric" if symmetric else "gemm"
    task: Task = (kernel, ("b0", None, "b1", "b2", None, SCRATCH_MEMBER, *sizes))
    return call([Tensor.empty(rows, columns)], [a, b], [task])[0]


def convolution_kernels(channels: int, height: int, width: int, filters: int, high: int, wide: int) -> tuple[str, str]:
    """The kernels, forward and backward, that serve a convolution fastest: direct, or Winograd's.

    A rule by shape, never a clock: the choice moves the last digits, and a run must repeat. ``python -m
    benchmarks.convolutions`` measures what it is worth. Winograd's pays where the multiplications it saves, the edge of
    its windows counted, outweigh its maps; with one channel in there is nothing to share the maps of the image.
    """
    if high != wide or high not in (3, 5):
        return "convolution", "convolution_gradient"
    rows, columns = height - high + 1, width - wide + 1
    products = min(
        side**2 * -(-rows // (side + 1 - high)) * -(-columns // (side + 1 - high))
        for side in ((8,) if high == 5 else (4, 6))
    )
    if channels < LEAST_CHANNELS or rows * columns < LEAST_POINTS or rows * columns * high * wide < 1.5 * products:
        return "convolution", "convolution_gradient"
    return "winograd", "winograd_gradient"


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor, activation: str | None = None, input_gradient: bool | None = None
) -> Tensor:
    """x (B, I, H, W), weight (O, I, h, w), bias (O,) -> (B, O, H-h+1, W-w+1): activation(x.conv2d(weight, bias))

    ``input_gradient`` False saves the gradient with respect to x. None: it is wanted if a kernel made x, as the layer
    before does; the images come from no kernel and want none. Like ``linear`` it keeps what gradients need only in
    training.
    """
    (images, channels, height, width), (filters, _, high, wide) = dimensions(x), dimensions(weight)
    kind, shape = loaded().activations[activation], (images, filters, height - high + 1, width - wide + 1)
    sizes = (images, channels, height, width, filters, high, wide, kind)
    forward_kernel, backward_kernel = convolution_kernels(*sizes[1:7])
    loaded().reserve_convolution(forward_kernel, [0] * 6 + list(sizes))
    gradient_sizes = (*sizes, image_shares(images))
    loaded().reserve_convolution(backward_kernel, [0] * 8 + list(gradient_sizes))

    def gradient(upstream: UOp, forward: UOp) -> tuple[UOp | None, ...]:
        operands = [Tensor(source) for source in forward.src[1:]]
        x, weight = operands[-4], operands[-3]
        wanted = input_gradient
        if wanted is None:
            wanted = _made_by_a_kernel(forward.src[-4])
        z = [Tensor(forward.src[2].after(forward))] if activation else []
        outputs = [Tensor.empty(*weight.shape), Tensor.empty(filters), *([Tensor.empty(*x.shape)] if wanted else [])]
        inputs = [Tensor(upstream), x, weight, *z]
        at = [f"b{len(outputs) + index}" for index in range(4)]
        pointers = ("b2" if wanted else None, "b0", "b1", at[0], at[3] if activation else None, at[1], at[2])
        found = call(outputs, inputs, [(backward_kernel, (*pointers, SCRATCH_MEMBER, *gradient_sizes))])
        nothing = (None,) * (len(operands) - 4)
        return (*nothing, found[2].uop if wanted else None, found[0].uop, found[1].uop, None)

    result, before = Tensor.empty(*shape), Tensor.empty(*shape)
    if activation is None or not TRAINING:
        task: Task = (forward_kernel, ("b0", "b0" if activation else None, "b1", "b2", "b3", SCRATCH_MEMBER, *sizes))
        return call([result], [x, weight, bias], [task], None if activation else gradient)[0]
    task = (forward_kernel, ("b1", "b0", "b2", "b3", "b4", SCRATCH_MEMBER, *sizes))
    return call([result, before], [x, weight, bias], [task], gradient)[0]


def _made_by_a_kernel(x: UOp) -> bool:
    """Whether a kernel made x, as far back as gradients flow."""
    return any(node.op is Ops.CALL for node in x.toposort(gate=lambda node: node.op is not Ops.DETACH))


def batchnorm(x: Tensor, weight: Tensor, bias: Tensor, pool: bool) -> tuple[Tensor, Tensor, Tensor]:
    """x (B, C, H, W) or (B, C) -> (normalized by the batch's own statistics, then 2x2 max pooled if ``pool``; mean;
    variance)

    mean and variance (C,) are the batch's, the variance divided by the count; no gradient flows through them.
    """
    images, channels, height, width = (*dimensions(x), 1, 1)[:4]
    loaded().reserve_batchnorm(height, width)
    sizes = (images, channels, height, width, 1, int(pool))
    shape = (images, channels, height // 2, width // 2) if pool else dimensions(x)

    def gradient(upstream: UOp, forward: UOp) -> tuple[UOp | None, ...]:
        _, mean, variance, x, weight, bias, _ = (Tensor(source) for source in forward.src[1:])
        statistics = [Tensor(statistic.uop.after(forward)) for statistic in (mean, variance)]
        members = ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", SCRATCH_MEMBER, *sizes)
        outputs = [Tensor.empty(*x.shape), Tensor.empty(channels), Tensor.empty(channels)]
        found = call(outputs, [Tensor(upstream), x, *statistics, weight, bias], [("batchnorm_gradient", members)])
        return (None, None, None, *(tensor.uop for tensor in found), None)

    outputs = [Tensor.empty(*shape), Tensor.empty(channels), Tensor.empty(channels)]
    task: Task = ("batchnorm", ("b0", "b1", "b2", "b3", "b4", "b5", SCRATCH_MEMBER, *sizes))
    result, mean, variance = call(outputs, [x, weight, bias], [task], gradient)
    return result, mean.detach(), variance.detach()


def batchnorm_given(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, pool: bool) -> Tensor:
    """The same with statistics that are given, as in evaluation. No gradient."""
    images, channels, height, width = (*dimensions(x), 1, 1)[:4]
    loaded().reserve_batchnorm(height, width)
    shape = (images, channels, height // 2, width // 2) if pool else dimensions(x)
    sizes = (images, channels, height, width, 2, int(pool))
    task: Task = ("batchnorm", ("b0", "b4", "b5", "b1", "b2", "b3", SCRATCH_MEMBER, *sizes))
    return call([Tensor.empty(*shape)], [x, weight, bias, mean, variance], [task])[0]


def max_pool(x: Tensor) -> Tensor:
    """x (B, C, H, W) -> (B, C, H//2, W//2): x.max_pool2d()"""
    images, channels, height, width = dimensions(x)
    loaded().reserve_batchnorm(height, width)
    sizes = (images, channels, height, width, 0, 1)

    def gradient(upstream: UOp, forward: UOp) -> tuple[UOp | None, ...]:
        _, x, _ = (Tensor(source) for source in forward.src[1:])
        members = ("b0", None, None, "b1", "b2", None, None, None, None, SCRATCH_MEMBER, *sizes)
        found = call([Tensor.empty(*x.shape)], [Tensor(upstream), x], [("batchnorm_gradient", members)])
        return (None, found[0].uop, None)

    task: Task = ("batchnorm", ("b0", None, None, "b1", None, None, SCRATCH_MEMBER, *sizes))
    return call([Tensor.empty(images, channels, height // 2, width // 2)], [x], [task], gradient)[0]


def augment(
    images: Tensor, draws: Tensor, angle: Tensor, scale: Tensor, shift: Tensor, bilinear: bool, corner: bool
) -> Tensor:
    """images (B, H, W) uint8 -> (B, H, W) float32: as explorer/training/augment.py does it, which explains the rest"""
    count, height, width = dimensions(images)
    loaded().reserve_augment(height, width)
    sizes = (count, height, width, int(bilinear), int(corner))
    task: Task = ("augment", (*(f"b{index}" for index in range(6)), SCRATCH_MEMBER, *sizes))
    # detached: nothing before it wants a gradient, and the first convolution must not compute one for it
    return call([Tensor.empty(count, height, width)], [images, draws, angle, scale, shift], [task])[0].detach()


def cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """logits (B, C), labels (B,) int32 -> (mean cross-entropy, how many rows have their largest logit at the label)"""
    rows, classes = dimensions(logits)

    def gradient(upstream: UOp, forward: UOp) -> tuple[UOp | None, ...]:
        d_logits = Tensor(forward.src[3].after(forward)) * Tensor(upstream).reshape(1, 1)
        return (None, None, None, d_logits.uop, None, None)

    outputs = [Tensor.empty(1), Tensor.empty(1), Tensor.empty(rows, classes)]
    task: Task = ("cross_entropy", ("b0", "b1", "b2", "b3", "b4", rows, classes))
    loss, correct, _ = call(outputs, [logits, labels], [task], gradient)
    return loss.reshape(()), correct.detach().reshape(())


def optimizer_step(
    rule: str,
    nesterov: bool,
    params: list[Tensor],
    gradients: list[Tensor],
    states: list[list[Tensor]],
    scalars: Tensor,
) -> list[Tensor]:
    """One step of a rule that has C over all parameters, in place; returns what to realize.

    ``states``: the rule's state tensors of each parameter; ``scalars``: a tensor that starts with the rules' SCALARS.
    """
    kind = loaded().optimizers[rule, nesterov]
    each = 2 + len(states[0])  # buffers of one parameter: itself, its gradient, its state
    updated: list[Tensor] = []
    together = (MAX_BUFFERS - 2) // each
    for start in range(0, len(params), together):
        outputs: list[Tensor] = []
        inputs: list[Tensor] = []
        for param, gradient, state in list(zip(params, gradients, states, strict=True))[start : start + together]:
            outputs += [param, *state]
            inputs += [gradient]
        tasks: list[Task] = []
        for index in range(len(inputs)):
            weights, *states_at = (f"b{index * (each - 1) + offset}" for offset in range(each - 1))
            gradient_at, scalars_at = f"b{len(outputs) + index}", f"b{len(outputs) + len(inputs)}"
            count = int(params[start + index].numel())
            tasks.append(("optimizer", (weights, *(*states_at, None, None)[:2], gradient_at, scalars_at, count, kind)))
        updated += call(outputs, [*inputs, scalars], tasks)
    return updated
