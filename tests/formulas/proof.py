"""What every test here does: a naive reference against torch, a formula and the ATen rules."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from inspect_cost import count
from inspect_cost.values.cost import OpCost
from tests.formulas.scalars import Complex, Real, Tape, value

#: The same few examples at every run; they are small, so none needs to be shrunk.
EXACT = settings(
    derandomize=True,
    deadline=None,
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
)

SIZE = st.integers(1, 4)


class FunctionModule(nn.Module):
    """A module that calls one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *operands: Any) -> Any:
        return self.function(*operands)


def prove(
    call: Callable[..., Any],
    reference: Callable[..., Any],
    *operands: Any,
    formula: OpCost | None = None,
) -> None:
    """Result of the reference = torch's; its counts = the formula's = those of `count`.

    Args:
        call: a module, or a function on tensors; it returns a tensor.
        reference: the same on arrays of counted numbers.
        *operands: of both; tensors, or lists and dicts with tensors in them.
        formula: what the formula says; None where the rule adds up several.
    """
    spent = run_reference(reference, *operands, expected=call(*operands))
    if formula is not None:
        assert formula == spent
    assert count_cost(call, *operands) == spent


def run_reference(reference: Callable[..., Any], *operands: Any, expected: Tensor) -> OpCost:
    """What a reference counted on its way to the expected result."""
    tape = Tape()
    result = to_tensor(reference(*to_arrays(operands, tape)))
    expected = expected.to(torch.complex128 if expected.is_complex() else torch.float64)
    torch.testing.assert_close(result.reshape(expected.shape), expected)
    return tape.cost


def count_cost(call: Callable[..., Any], *operands: Any) -> OpCost:
    """What `inspect_cost.count` says; every operator must be known to it."""
    report = count(call if isinstance(call, nn.Module) else FunctionModule(call), *operands)
    assert report.complete, report.uncounted
    return report.cost


def to_arrays(operands: Any, tape: Tape) -> Any:
    """Floating-point and complex tensors as arrays of counted numbers; the rest as it is."""

    def number(x: complex) -> Any:
        return (
            Complex(Real(x.real, tape), Real(x.imag, tape))
            if isinstance(x, complex)
            else Real(x, tape)
        )

    def array(tensor: Tensor) -> np.ndarray:
        counted_kind = tensor.is_floating_point() or tensor.is_complex()
        flat = [number(x) if counted_kind else x for x in tensor.flatten().tolist()]
        return make_array(tuple(tensor.shape), flat)

    return tree_map_only(Tensor, array, operands)


def to_tensor(result: Any) -> Tensor:
    """An array of counted numbers, or a single one, as a tensor."""
    array = result if isinstance(result, np.ndarray) else make_array((), [result])
    values = [
        complex(value(x.re), value(x.im)) if isinstance(x, Complex) else value(x)
        for x in array.flat
    ]
    return torch.tensor(values, dtype=torch.complex128 if _is_complex(values) else torch.float64)


def _is_complex(values: Sequence[complex]) -> bool:
    return any(isinstance(x, complex) for x in values)


def make_array(shape: tuple[int, ...], values: Sequence[Any]) -> np.ndarray:
    """An array of any objects, in row-major order."""
    array = np.empty(len(values), dtype=object)
    for i, x in enumerate(values):
        array[i] = x
    return array.reshape(shape)


def draw_normal(*shapes: Sequence[int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Tensors of these shapes, of normally distributed numbers, always the same ones."""
    generator = torch.Generator().manual_seed(20)
    return [torch.randn(*shape, dtype=dtype, generator=generator) for shape in shapes]


def draw_uniform(low: float, high: float, *shapes: Sequence[int]) -> list[Tensor]:
    """Tensors of numbers in an interval."""
    return [low + (high - low) * torch.special.ndtr(x) for x in draw_normal(*shapes)]
