"""Rules of Fourier transforms, and of summing overlapping frames."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import fourier as formula
from inspect_cost.values.cost import OpCost


def complex_to_complex(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Count complex transforms along some dimensions, each of all numbers in these."""
    return _transform(formula.fft, out, dim)


def real_to_complex(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Count transforms of real numbers along some dimensions."""
    return _transform(formula.real_fft, x, dim)


def complex_to_real(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Count transforms to real numbers along some dimensions."""
    return _transform(formula.real_fft, out, dim)


def hermitian(
    out: Tensor,
    x: Tensor,
    s: Sequence[int] | None = None,
    dim: Sequence[int] | None = None,
    *_options: Any,
    **_more: Any,
) -> OpCost:
    """Count transforms between real numbers and half of a spectrum, whichever side is real."""
    real = out if x.is_complex() else x
    last = range(-real.dim() if s is None else -len(s), 0)
    places = list(last if dim is None else dim)
    sizes = [real.shape[d] for d in places] if s is None else s
    N = prod(size if size >= 0 else real.shape[d] for size, d in zip(sizes, places, strict=True))
    others = prod(real.shape) // max(1, prod(real.shape[d] for d in places))
    return formula.real_fft(others, N)


def hermitian_image(
    out: Tensor,
    x: Tensor,
    s: Sequence[int] | None = None,
    dim: Sequence[int] = (-2, -1),
    *_options: Any,
    **_more: Any,
) -> OpCost:
    """Count `hermitian` along two dimensions, by default the last ones."""
    return hermitian(out, x, s, dim)


def _transform(cost: Callable[[int, int], OpCost], x: Tensor, dim: Sequence[int]) -> OpCost:
    N = prod(x.shape[d] for d in dim)
    return cost(x.numel() // max(1, N), N)


def fold(out: Tensor, columns: Tensor, *_sizes: Any) -> OpCost:
    """Count columns of patches that are summed into an image."""
    return formula.overlap_add(columns.numel(), out.numel())


def stft(
    out: Tensor,
    x: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    *_options: Any,
    **_more: Any,
) -> OpCost:
    """Count frames of (..., samples), each windowed if there is a window, and transformed."""
    frames = _frames(out, complex_=out.is_complex())
    return formula.stft(frames, n_fft, real=not x.is_complex(), windowed=window is not None)


def istft(out: Tensor, x: Tensor, n_fft: int, *_options: Any, **_more: Any) -> OpCost:
    """Count frames of (..., bins, frames), transformed back, windowed, summed and divided."""
    frames = _frames(x, complex_=True)
    return formula.istft(frames, n_fft, out.numel(), real=not out.is_complex())


def _frames(spectrum: Tensor, *, complex_: bool) -> int:
    """Count the frames of all signals; complex numbers may be stored as an additional dimension."""
    bins = spectrum.shape[-2 if complex_ else -3]
    return spectrum.numel() // max(1, bins if complex_ else 2 * bins)


def unfold_backward(
    out: Tensor, pieces: Tensor, sizes: Sequence[int], dim: int, size: int, step: int
) -> OpCost:
    """Count windows of a signal that are summed where they overlap."""
    return formula.overlap_add(pieces.numel(), out.numel())


FOURIER: dict[str, Rule] = {
    "aten._fft_c2c": complex_to_complex,
    "aten._fft_r2c": real_to_complex,
    "aten._fft_c2r": complex_to_real,
    **dict.fromkeys(("aten.fft_hfftn", "aten.fft_ihfftn"), hermitian),
    **dict.fromkeys(("aten.fft_hfft2", "aten.fft_ihfft2"), hermitian_image),
    "aten.stft": stft,
    "aten.istft": istft,
    "aten.unfold_backward": unfold_backward,
    "aten.col2im": fold,
}
