"""Result shapes of fused operators that slide windows or do not keep channels second."""

from collections.abc import Callable, Sequence

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.counting.onnx.value import Value, make_like

Results = Sequence[Value | None]


def quantized_global_pool(call: NodeCall) -> Results:
    """Return one number per plane."""
    sizes = call.x.sizes
    if call.get("channels_last", 0):
        return [make_like(call.x, (sizes[0], *[1] * (len(sizes) - 2), sizes[-1]))]
    return [make_like(call.x, (*sizes[:2], *[1] * (len(sizes) - 2)))]


def channels_last_window(call: NodeCall) -> Results:
    """Return a convolution or pooling of (B, T..., C), with a weight of (O, C / groups, K...)."""
    B, *spatial, C = call.x.sizes
    weight = call.operand(1).sizes if "Conv" in call.node.op_type else None
    out = _count_windows(call, spatial, weight[2:] if weight else call.get("kernel_shape"))
    return [make_like(call.x, (B, *out, weight[0] if weight else C))]


def quantized_window(call: NodeCall) -> Results:
    """Return a quantised convolution or pooling, with the channels first or last."""
    B, *rest = call.x.sizes
    last = bool(call.get("channels_last", 0))
    C, spatial = (rest[-1], rest[:-1]) if last else (rest[0], rest[1:])
    weight = call.operand(3).sizes if "Conv" in call.node.op_type else None
    out = _count_windows(call, spatial, weight[2:] if weight else call.get("kernel_shape"))
    channels = weight[0] if weight else C
    return [make_like(call.x, (B, *out, channels) if last else (B, channels, *out))]


def _count_windows(call: NodeCall, spatial: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """Return how many windows fit along each dimension."""
    strides, dilations, before, after = _read_window(call, kernel)
    if call.get("auto_pad", b"NOTSET") in {b"SAME_UPPER", b"SAME_LOWER"}:
        return [-(-n // s) for n, s in zip(spatial, strides, strict=True)]
    rests = [
        n + b + a - d * (k - 1) - 1
        for n, k, d, b, a in zip(spatial, kernel, dilations, before, after, strict=True)
    ]
    up = call.get("ceil_mode", 0)
    return [(-(-r // s) if up else r // s) + 1 for r, s in zip(rests, strides, strict=True)]


def _read_window(call: NodeCall, kernel: Sequence[int]) -> list[list[int]]:
    """Return strides, dilations, and padding before and after, per dimension."""
    d = len(kernel)
    pads = call.get("pads") or [0] * (2 * d)
    strides, dilations = (list(call.get(n) or [1] * d) for n in ("strides", "dilations"))
    return [strides, dilations, list(pads[:d]), list(pads[d:])]


def reorder_in(call: NodeCall) -> Results:
    """Return (B, C, T...) or (B, T..., C) with the channels in blocks."""
    B, *rest = call.x.sizes
    planes = (rest[-1], *rest[:-1]) if call.get("channels_last", 0) else rest
    return [make_like(call.x, (B, *planes))]


def reorder_out(call: NodeCall) -> Results:
    """Return (B, C, T...) or (B, T..., C) from channels in blocks, without their padding."""
    B, _padded, *spatial = call.x.sizes
    channels = call.get("channels")
    last = call.get("channels_last", 0)
    return [make_like(call.x, (B, *spatial, channels) if last else (B, channels, *spatial))]


def upsample(call: NodeCall) -> Results:
    """Return each side times its scale."""
    pairs = zip(call.x.sizes, call.get("scales"), strict=True)
    return [make_like(call.x, tuple(size * scale for size, scale in pairs))]


LAYOUT_SHAPES: dict[str, Callable[[NodeCall], Results]] = {
    "com.microsoft.QLinearConv": quantized_window,
    "com.microsoft.QLinearAveragePool": quantized_window,
    "com.microsoft.QLinearGlobalAveragePool": quantized_global_pool,
    "com.microsoft.NhwcFusedConv": channels_last_window,
    "com.microsoft.NhwcConv": channels_last_window,
    "com.microsoft.NhwcMaxPool": channels_last_window,
    "com.microsoft.nchwc.ReorderInput": reorder_in,
    "com.microsoft.nchwc.ReorderOutput": reorder_out,
    "com.microsoft.nchwc.Upsample": upsample,
}
