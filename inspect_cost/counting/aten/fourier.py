"""Rules of Fourier transforms, and of summing overlapping frames."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from inspect_cost.cost import OpCost, total
from inspect_cost.counting.aten.rule import Rule
from inspect_cost.formulas import fourier as formula


def complex_to_complex(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """One transform along each of the dimensions."""
    return total(formula.fft(out.numel() // out.shape[d], out.shape[d]) for d in dim)


def real_to_complex(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """A real transform along the last of the dimensions, then complex ones along the others."""
    N = x.shape[dim[-1]]
    return formula.real_fft(x.numel() // N, N) + complex_to_complex(out, x, dim[:-1])


def complex_to_real(out: Tensor, x: Tensor, dim: Sequence[int], *_options: Any) -> OpCost:
    """Complex transforms along all dimensions but the last, then a real one along it."""
    N = out.shape[dim[-1]]
    return complex_to_complex(x, x, dim[:-1]) + formula.real_fft(out.numel() // N, N)


def fold(out: Tensor, columns: Tensor, *_sizes: Any) -> OpCost:
    """Columns of patches summed into an image."""
    return formula.overlap_add(columns.numel(), out.numel())


FOURIER: dict[str, Rule] = {
    "aten._fft_c2c": complex_to_complex,
    "aten._fft_r2c": real_to_complex,
    "aten._fft_c2r": complex_to_real,
    "aten.col2im": fold,
}
