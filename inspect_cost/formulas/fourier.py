"""Discrete Fourier transforms, by the convention of their community (Frigo & Johnson 1998).

`5 N log2 N` real operations for N complex numbers, and half of that if one side is real: what
radix 2 takes, with 4 multiplications and 6 additions a butterfly, whatever a library does. A
transform of several dimensions is one of all of its N numbers, as in FFTW's benchmarks.
Scaling by `1 / N` or its root is free.
"""

from math import log2 as logarithm

from inspect_cost.values.cost import OpCost


def _log2(N: int) -> float:
    """Return the logarithm of a length; nothing has none to transform, so 0."""
    return logarithm(N) if N else 0.0


def fft(transforms: int, N: int) -> OpCost:
    """Transforms of N complex numbers: `2 N log2 N` products and `3 N log2 N` sums each."""
    return OpCost(mul=round(2 * N * _log2(N)), add=round(3 * N * _log2(N))) * transforms


def real_fft(transforms: int, N: int) -> OpCost:
    """Transforms of, or to, N real numbers: half as many operations as for complex ones."""
    return OpCost(mul=round(N * _log2(N)), add=round(1.5 * N * _log2(N))) * transforms


def stft(frames: int, N: int, *, real: bool, windowed: bool) -> OpCost:
    """Frames of N numbers times a window, then transformed; complex frames take twice as much."""
    products = OpCost(mul=frames * N * (1 if real else 2) if windowed else 0)
    return products + (real_fft if real else fft)(frames, N)


def istft(frames: int, N: int, outputs: int, *, real: bool) -> OpCost:
    """Inverse transforms, times the window, added where frames overlap, then divided.

    The divisors, sums of the window's squares, are free.
    """
    numbers = frames * N * (1 if real else 2)
    divisions = OpCost(div=outputs * (1 if real else 2))
    return (real_fft if real else fft)(frames, N) + OpCost(mul=numbers, add=numbers) + divisions


def overlap_add(pieces: int, outputs: int) -> OpCost:
    """Pieces of signals, summed where they overlap: the first piece at each output is free."""
    return OpCost(add=max(0, pieces - outputs))
