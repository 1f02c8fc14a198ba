"""Rules for pooling and interpolation."""

from math import prod

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.counting.onnx.reduction import reduce_with
from inspect_cost.formulas import resampling as formula
from inspect_cost.formulas.distance import norm
from inspect_cost.formulas.reduction import extremum, mean
from inspect_cost.formulas.regions import aligned_bins
from inspect_cost.values.cost import FREE, OpCost

#: Numbers that a filter spans where it does not shrink an image.
_REACH = {b"linear": 2, b"cubic": 4}


def max_pool(call: NodeCall) -> OpCost | None:
    """Count the maximum of each window."""
    return formula.max_pool(call.out.size, call.get("kernel_shape"))


def average_pool(call: NodeCall) -> OpCost | None:
    """Count the mean of each window."""
    return formula.average_pool(call.out.size, call.get("kernel_shape"))


def lp_pool(call: NodeCall) -> OpCost | None:
    """Count the norm of each window."""
    window = call.get("kernel_shape")
    n = prod(window) if window else call.x.size // call.out.size
    return norm(call.out.size, n, call.get("p", 2))


def resize(call: NodeCall) -> OpCost | None:
    """Count interpolation along the axes whose size changes; taking the nearest is free.

    None for filters against aliasing with aligned corners, as for torch's.
    """
    pairs = zip(call.x.sizes, call.out.sizes, strict=True)
    dimensions = sum(before != after for before, after in pairs)
    mode = call.get("mode", b"nearest")
    if call.get("antialias", 0) and mode in _REACH:
        return _antialiased(call, _REACH[mode])
    if mode == b"cubic":
        return formula.cubic_interpolation(call.out.size, dimensions)
    if mode in {b"linear", b"bilinear"}:
        return formula.linear_interpolation(call.out.size, dimensions)
    return FREE if mode == b"nearest" else None


def _antialiased(call: NodeCall, reach: int) -> OpCost | None:
    """Count filters that widen as the image shrinks, along all axes but batch and channels."""
    if call.get("coordinate_transformation_mode") == b"align_corners":
        return None
    axes = {axis % len(call.x.sizes) for axis in call.get("axes") or range(2, len(call.x.sizes))}
    rest = prod(n for axis, n in enumerate(call.x.sizes) if axis not in axes)
    before, after = (
        [side[axis] for axis in sorted(axes)] for side in (call.x.sizes, call.out.sizes)
    )
    return formula.antialiased_interpolation(rest, before, after, reach)


def grid_sample(call: NodeCall) -> OpCost | None:
    """Count interpolation at positions from a grid, along all axes except batch and channels.

    None for cubic interpolation and for reflecting edges, as for torch's.
    """
    dimensions, points = len(call.x.sizes) - 2, call.operand(1).size // (len(call.x.sizes) - 2)
    edge, mode = call.get("padding_mode", b"zeros"), call.get("mode", b"linear")
    if edge not in {b"zeros", b"border"} or mode not in {b"nearest", b"linear", b"bilinear"}:
        return None
    aligned = bool(call.get("align_corners", 0))
    positions = formula.grid_positions(
        points, dimensions, aligned=aligned, clamped=edge == b"border"
    )
    if mode == b"nearest":
        return positions + formula.nearest_grid(points, dimensions)
    weights = formula.linear_grid_weights(points, dimensions)
    return positions + weights + formula.linear_interpolation(call.out.size, dimensions)


def roi_align(call: NodeCall) -> OpCost | None:
    """Count interpolated samples and their mean or maximum per bin.

    None if the number of samples follows from the boxes.
    """
    ratio = call.get("sampling_ratio", 0)
    if not ratio:
        return None
    return aligned_bins(call.out.size, ratio**2, largest=call.get("mode", b"avg") == b"max")


_ONNX: dict[str, Rule] = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "LpPool": lp_pool,
    "GlobalMaxPool": reduce_with(extremum),
    "GlobalAveragePool": reduce_with(mean),
    "GlobalLpPool": lp_pool,
    "Resize": resize,
    "Upsample": resize,
    "GridSample": grid_sample,
    "RoiAlign": roi_align,
}

RESAMPLING: dict[str, Rule] = {f"onnx.{name}": rule for name, rule in _ONNX.items()} | {
    "com.microsoft.GridSample": grid_sample,
    "com.microsoft.NhwcMaxPool": max_pool,
    "com.microsoft.nchwc.MaxPool": max_pool,
    "com.microsoft.nchwc.AveragePool": average_pool,
    "com.microsoft.nchwc.GlobalMaxPool": reduce_with(extremum),
    "com.microsoft.nchwc.GlobalAveragePool": reduce_with(mean),
    "com.microsoft.nchwc.Upsample": resize,
}
