"""The proof that every test here uses: a naive reference against torch, a formula and the rules."""

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
    """A module whose forward is one function."""

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
    """Assert that a reference gives torch's result, and counts what the formula and `count` say.

    Args:
        call: a module, or a function on tensors, that returns a tensor.
        reference: the same function on arrays of counted numbers.
        *operands: operands of both: tensors, or lists and dicts of tensors.
        formula: the formula's cost; None if the rule adds up several formulas.
    """
    spent = run_reference(reference, *operands, expected=call(*operands))
    if formula is not None:
        assert formula == spent
    assert count_cost(call, *operands) == spent


def run_reference(reference: Callable[..., Any], *operands: Any, expected: Tensor) -> OpCost:
    """Run a reference, check its result, and return what it counted on the way."""
    tape = Tape()
    result = to_tensor(reference(*to_arrays(operands, tape)))
    expected = expected.to(torch.complex128 if expected.is_complex() else torch.float64)
    torch.testing.assert_close(result.reshape(expected.shape), expected)
    return tape.cost


def count_cost(call: Callable[..., Any], *operands: Any) -> OpCost:
    """Count a call by `inspect_cost.count`, which must know every operator."""
    report = count(call if isinstance(call, nn.Module) else FunctionModule(call), *operands)
    assert report.complete, report.uncounted
    return report.cost


def to_arrays(operands: Any, tape: Tape) -> Any:
    """Turn floating-point and complex tensors into arrays of counted numbers; keep the rest."""

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
    """Turn an array of counted numbers, or a single one, into a tensor."""
    array = result if isinstance(result, np.ndarray) else make_array((), [result])
    values = [
        complex(value(x.re), value(x.im)) if isinstance(x, Complex) else value(x)
        for x in array.flat
    ]
    return torch.tensor(values, dtype=torch.complex128 if _is_complex(values) else torch.float64)


def _is_complex(values: Sequence[complex]) -> bool:
    return any(isinstance(x, complex) for x in values)


def make_array(shape: tuple[int, ...], values: Sequence[Any]) -> np.ndarray:
    """Make an array of any objects, in row-major order."""
    array = np.empty(len(values), dtype=object)
    for i, x in enumerate(values):
        array[i] = x
    return array.reshape(shape)


def draw_normal(*shapes: Sequence[int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Draw tensors of normally distributed numbers, the same ones in every call."""
    generator = torch.Generator().manual_seed(20)
    return [torch.randn(*shape, dtype=dtype, generator=generator) for shape in shapes]


def draw_uniform(low: float, high: float, *shapes: Sequence[int]) -> list[Tensor]:
    """Draw tensors of numbers in an interval, uniformly."""
    return [low + (high - low) * torch.special.ndtr(x) for x in draw_normal(*shapes)]
