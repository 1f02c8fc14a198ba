"""Rules for Fourier transforms and for summing overlapping frames."""

from math import prod

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import fourier as formula
from inspect_cost.formulas.pointwise import MUL
from inspect_cost.values.cost import OpCost

#: Last version in which the axis of a DFT is an attribute.
DFT_AXIS_ATTRIBUTE = 19
COMPLEX = 2  # numbers in the last dimension: real and imaginary part


def dft(call: NodeCall) -> OpCost | None:
    """Count one transform along an axis; half the cost if its input or output is real."""
    axis = call.get("axis", 1) if call.version <= DFT_AXIS_ATTRIBUTE else -2
    if call.version > DFT_AXIS_ATTRIBUTE and call.has(2):
        given = call.operand(2).scalar
        if given is None:
            return None
        axis = int(given)
    sides = (call.x.sizes, call.out.sizes)
    N = max(side[axis] for side in sides)
    real = [side for side in sides if side[-1] != COMPLEX]
    halved = [side for side in sides if side[axis] != N]
    transform = formula.real_fft if real or halved else formula.fft
    whole = next(side for side in sides if side[axis] == N)
    rows = prod(whole[:-1]) // max(1, N)
    return transform(rows, N)


def stft(call: NodeCall) -> OpCost | None:
    """Count windowing, if there is a window, and transforming each frame."""
    window, length = call.optional(2), call.optional(3)
    stated = length.scalar if length else None
    if stated is None and window is None:
        return None
    n = int(stated) if stated is not None else window.size if window else 0
    frames = call.out.sizes[0] * call.out.sizes[1]
    complex_signal = call.x.sizes[-1] == COMPLEX and len(call.x.sizes) > COMPLEX
    transform = formula.fft if complex_signal else formula.real_fft
    weighed = MUL * (frames * n * (1 + complex_signal)) if window else OpCost()
    return weighed + transform(frames, n)


def columns_to_image(call: NodeCall) -> OpCost | None:
    """Count summing columns of patches into an image."""
    return formula.overlap_add(call.x.size, call.out.size)


FOURIER: dict[str, Rule] = {
    "onnx.DFT": dft,
    "onnx.STFT": stft,
    "onnx.Col2Im": columns_to_image,
}
