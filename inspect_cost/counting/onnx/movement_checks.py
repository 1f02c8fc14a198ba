"""Checks of operators that move, pick or resize data, and of losses."""

from collections.abc import Callable
from math import prod

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.patterns import broadcasts_to, demand, get_axes

Check = Callable[[NodeCall], None]
#: First version in which slopes broadcast as ONNX's other operands do.
_BROADCASTING = 7
#: First version in which a region to resize stands before the scales.
_REGIONS = 11


def reshape(call: NodeCall) -> None:
    """Check that a reshaped tensor has as many elements as before."""
    before, after = call.x.size, call.out.size
    demand(before == after, f"{before} numbers do not fill {call.out.sizes}")


def scatter_elements(call: NodeCall) -> None:
    """Check indices and updates of one shape, no larger than the data but along the axis."""
    indices, updates = call.operand(1).sizes, call.operand(2).sizes
    demand(indices == updates, f"{indices} indices do not fit {updates} updates")
    gather_elements(call)


def gather_elements(call: NodeCall) -> None:
    """Check indices that are no larger than the data but along the axis."""
    sizes, indices = call.x.sizes, call.operand(1).sizes
    axis = call.get("axis", 0) % max(1, len(sizes))
    demand(len(sizes) == len(indices), "indices and data have different numbers of axes")
    pairs = enumerate(zip(indices, sizes, strict=True))
    within = all(n <= m for i, (n, m) in pairs if i != axis)
    demand(within, f"{indices} indices exceed {sizes}")


def scatter_nd(call: NodeCall) -> None:
    """Check the shape of updates, which follows from data and indices."""
    sizes, indices, updates = (call.operand(i).sizes for i in range(3))
    wanted = (*indices[:-1], *sizes[indices[-1] :])
    fits = indices[-1] <= len(sizes) and updates == wanted
    demand(fits, f"updates are {updates}, not {wanted}")


def gather_nd(call: NodeCall) -> None:
    """Check that data and indices agree in the batch's axes."""
    sizes, indices, batch = call.x.sizes, call.operand(1).sizes, call.get("batch_dims", 0)
    fits = sizes[:batch] == indices[:batch] and indices[-1] <= len(sizes) - batch
    demand(fits, f"{indices} indices do not fit {sizes}")


def same_shape(call: NodeCall) -> None:
    """Check that the first two operands have one shape."""
    a, b = call.x.sizes, call.operand(1).sizes
    demand(a == b, f"{a} and {b} are not the same")


def blocks(divided: slice, power: int) -> Check:
    """Return the check that sizes divide into blocks."""

    def check(call: NodeCall) -> None:
        block = call.get("blocksize") ** power
        sizes = call.x.sizes[divided]
        demand(all(n % block == 0 for n in sizes), f"{sizes} are not in blocks of {block}")

    return check


def reverse_sequence(call: NodeCall) -> None:
    """Check one length for each sequence."""
    B, lengths = call.x.sizes[call.get("batch_axis", 1)], call.operand(1).sizes
    demand(lengths == (B,), f"{lengths} lengths do not fit {B} sequences")


def columns_to_image(call: NodeCall) -> None:
    """Check columns of (B, C x K, L): K the taps of a block, L the blocks in the image."""
    image, block = call.operand(1).data, call.operand(2).data
    if image is None or block is None:
        return
    d = block.size
    pads = call.get("pads") or [0] * (2 * d)
    dilations, strides = (call.get(n) or [1] * d for n in ("dilations", "strides"))
    windows = [
        (int(n) + pads[i] + pads[i + d] - dilations[i] * (int(k) - 1) - 1) // strides[i] + 1
        for i, (n, k) in enumerate(zip(image.tolist(), block.tolist(), strict=True))
    ]
    sizes, taps = call.x.sizes, prod(block.tolist())
    demand(sizes[1] % taps == 0, f"{sizes[1]} rows are not in blocks of {taps}")
    demand(sizes[2] == prod(windows), f"{sizes[2]} columns, not {prod(windows)}")


def scale_per_axis(call: NodeCall) -> None:
    """Check one scale or size for each axis that is resized, and both ends of a region."""
    axes = call.get("axes")
    wanted = len(axes) if axes else len(call.x.sizes)
    region = call.optional(1) if call.node.op_type == "Resize" else None
    fits = region is None or call.version < _REGIONS or region.size in {0, 2 * wanted}
    demand(fits, f"its region is not of {2 * wanted} numbers")
    first = 1 if call.node.op_type == "Upsample" or call.version < _REGIONS else 2
    for value in call.inputs[first:]:
        fits = value is None or value.size in {0, wanted}
        demand(fits, f"it has {value.size if value else 0} scales for {wanted} axes")


def slope(call: NodeCall) -> None:
    """Check that slopes broadcast to the input."""
    fits = broadcasts_to(get_axes(call.operand(1)), get_axes(call.x))
    demand(fits or call.version < _BROADCASTING, f"its slopes do not broadcast to {call.x.sizes}")


def complex_pairs(call: NodeCall) -> None:
    """Check that the last axis holds real numbers, or real and imaginary parts."""
    demand(call.x.sizes[-1] in {1, 2}, f"its last axis of {call.x.sizes[-1]} is no complex number")


def loss(call: NodeCall) -> None:
    """Check scores of (B, C, T...) and labels of (B, T...)."""
    x, labels = call.x.sizes, call.operand(1).sizes
    demand((x[0], *x[2:]) == labels, f"{labels} labels do not fit {x}")
    weights = call.optional(2) if call.node.op_type == "NegativeLogLikelihoodLoss" else None
    fits = weights is None or weights.sizes == (x[1],)
    demand(fits, f"its weights are not of {x[1]} classes")
