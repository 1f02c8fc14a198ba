"""Discrete Fourier transforms, by the convention of their community (Frigo & Johnson 1998).

5 N log2 N real operations for N complex numbers, half of that where one side is real: what radix 2
takes, each butterfly with 4 multiplications and 6 additions, whatever a library does.
Scaling by 1/N or its root is free.
"""

from math import log2

from inspect_cost.values.cost import OpCost


def fft(transforms: int, N: int) -> OpCost:
    """So many transforms of N complex numbers: 2 N log2 N products and 3 N log2 N sums each."""
    return OpCost(mul=round(2 * N * log2(N)), add=round(3 * N * log2(N))) * transforms


def real_fft(transforms: int, N: int) -> OpCost:
    """Transforms of N real numbers, or back to them: half of it."""
    return OpCost(mul=round(N * log2(N)), add=round(1.5 * N * log2(N))) * transforms


def stft(frames: int, N: int, *, real: bool, windowed: bool) -> OpCost:
    """Frames of N numbers times a window, then transformed; complex frames take twice as many."""
    products = OpCost(mul=frames * N * (1 if real else 2) if windowed else 0)
    return products + (real_fft if real else fft)(frames, N)


def istft(frames: int, N: int, outputs: int, *, real: bool) -> OpCost:
    """Transforms back, times the window, added where they overlap, then divided.

    The window's own squares, which the results are divided by, are free.
    """
    numbers = frames * N * (1 if real else 2)
    divisions = OpCost(div=outputs * (1 if real else 2))
    return (real_fft if real else fft)(frames, N) + OpCost(mul=numbers, add=numbers) + divisions


def overlap_add(pieces: int, outputs: int) -> OpCost:
    """Pieces of signals summed where they overlap: all but the first at each output."""
    return OpCost(add=max(0, pieces - outputs))
