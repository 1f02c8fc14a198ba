"""Rules of Fourier transforms, and of summing overlapping frames."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import fourier as formula
from inspect_cost.values.cost import OpCost, total


def complex_to_complex(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Count a complex transform along each of the dimensions."""
    return total(formula.fft(out.numel() // max(1, out.shape[d]), out.shape[d]) for d in dim)


def real_to_complex(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Count a real transform along the last dimension, then complex ones along the others."""
    N = x.shape[dim[-1]]
    return formula.real_fft(x.numel() // max(1, N), N) + complex_to_complex(out, x, dim[:-1])


def complex_to_real(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Count complex transforms along all dimensions but the last, then a real one along it."""
    N = out.shape[dim[-1]]
    return complex_to_complex(x, x, dim[:-1]) + formula.real_fft(out.numel() // max(1, N), N)


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
    "aten.stft": stft,
    "aten.istft": istft,
    "aten.unfold_backward": unfold_backward,
    "aten.col2im": fold,
}
