"""Our meta kernels return what torch's own do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from inspect_cost import count
from inspect_cost.counting.torch.aten import ATEN_RULES
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.guard import Guard
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.meta import META_KERNELS
from inspect_cost.counting.torch.mode import CountingMode
from tests.formulas.proof import count_cost

aten = torch.ops.aten
SOME = settings(derandomize=True, deadline=None, max_examples=25)
SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=5)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Draw a tensor on meta of any layout: permuted, sliced, or contiguous."""
    sizes = draw(SIZES)
    order = draw(st.permutations(range(len(sizes))))
    whole = torch.empty(sizes, device="meta").permute(order)
    return whole[..., : draw(st.integers(1, whole.shape[-1]))]


def agree(name: str, call: Callable[..., Any], *operands: Any, **options: Any) -> bool:
    """Return whether there is a kernel's answer; assert that it is torch's, strides included."""
    mine: Any = META_KERNELS[name](*operands, **options)
    if mine is None:
        return False
    theirs = call(*operands, **options)
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
    unit = [n == 1 for n in mine.shape]
    strides = zip(mine.stride(), theirs.stride(), unit, strict=True)
    assert all(a == b or one for a, b, one in strides), (mine.stride(), theirs.stride())
    return True


@SOME
@given(x=tensors(), y=tensors())
def test_elementwise(x: Tensor, y: Tensor) -> None:
    plain = x.contiguous()
    assert agree("aten.add", aten.add, plain, plain)
    agree("aten.add", aten.add, x, x)
    agree("aten.mul", aten.mul, x, 2.0)
    agree("aten.neg", aten.neg, x)
    agree("aten.pow.Tensor_Scalar", aten.pow, x, 2)
    agree("aten.mul", aten.mul, x, torch.empty(x.shape[-1], device="meta"))
    agree("aten.add", aten.add, x, torch.empty_like(x).contiguous())
    if x.shape == y.shape:
        agree("aten.add", aten.add, x, y)


@SOME
@given(x=tensors(), dim=st.integers(-2, 1), keepdim=st.booleans())
def test_along_a_dimension(x: Tensor, dim: int, keepdim: bool) -> None:
    agree("aten.mean.dim", aten.mean.dim, x, [dim], keepdim)
    agree("aten.cat", aten.cat, [x, x], dim)


@SOME
@given(sizes=st.lists(st.integers(1, 3), min_size=0, max_size=2), m=st.integers(1, 4))
def test_products(sizes: list[int], m: int) -> None:
    a, b = torch.empty(*sizes, m, 3, device="meta"), torch.empty(*sizes, 3, 5, device="meta")
    assert agree("aten.matmul", torch.matmul, a, b)
    assert agree("aten.matmul", torch.matmul, a.transpose(-1, -2).contiguous().mT, b)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_attention(groups: int) -> None:
    query = torch.empty(2, 5, 4, 8, device="meta").transpose(1, 2)
    key = torch.empty(2, groups, 7, 8, device="meta")
    value = torch.empty(2, groups, 7, 6, device="meta")
    call, name = (
        torch.nn.functional.scaled_dot_product_attention,
        "aten.scaled_dot_product_attention",
    )
    assert agree(name, call, query, key, value, enable_gqa=True)
    assert META_KERNELS[name](query, key, value) is None or groups == 4


def test_what_does_not_fit_is_left_to_torch_to_refuse() -> None:
    a, b = torch.empty(2, 3, device="meta"), torch.empty(4, 5, device="meta")
    assert META_KERNELS["aten.add"](a, b) is None
    assert META_KERNELS["aten.mm"](a, b) is None
    assert META_KERNELS["aten._grouped_mm"](a, b) is None


def test_results_written_to_a_given_tensor_are_left_to_torch() -> None:
    class Into(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return torch.mm(x, self.weight, out=torch.empty(2, 3, device="meta"))

    assert count(Into().eval(), torch.ones(2, 3)).macs == 2 * 3 * 3


DENSE = torch.empty(3, 4, 5, device="meta")
PLAIN_CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "permuted operands": lambda x: torch.relu(x.permute(2, 0, 1)),
    "a part of a tensor": lambda x: x[..., :2] + x[:, :1, :2],
    "a part of a permuted one": lambda x: torch.tanh(x.transpose(0, 2)[:2]),
    "truths": lambda x: (x > 1) & (x < 2),
    "a choice": lambda x: torch.where(x > 0, 1.5, x),
    "a choice of two": lambda x: torch.where(x > 0, x, x + x),
    "bounds": lambda x: x.clamp(0, 1).clamp_min(2).clamp_max(3.5),
    "bounds of integers": lambda x: x.argmax(-1).clamp_max(2),
    "an integer's quotient": lambda x: x.argmax(-1) / 2,
    "a wider softmax": lambda x: torch.softmax(x, -1, dtype=torch.float64).cumsum(-1),
    "a cumulative sum": lambda x: x.cumsum(1),
    "a stack": lambda x: torch.stack([x, x], -2),
    "a complex number": lambda x: torch.polar(x, x),
    "a matrix by a vector": lambda x: torch.mv(x[0], x[0, 0]),
    "a row for each index": lambda x: F.embedding(x.argmax(-1), x[0]),
    "noise alike": lambda x: torch.randn_like(x.transpose(0, 1)),
    "a transposed kernel": lambda x: F.linear(x, x.new_empty(5, 7).t(), x.new_empty(7)),
    "a convolution of permuted operands": lambda x: F.conv1d(
        x.transpose(0, 1), x.new_empty(2, 6, 3).transpose(1, 2)[:, :, :2]
    ),
    "given memory": lambda x: torch.mm(x[0], x[0].t(), out=x.new_empty(4, 4)),
    "a cell": lambda x: torch.gru_cell(
        x[0], x.new_empty(4, 6), x.new_empty(18, 5), x.new_empty(18, 6), None, None
    ),
}


@pytest.mark.parametrize("name", PLAIN_CALLS)
def test_less_plain_cases_are_what_torch_says(name: str) -> None:
    call = PLAIN_CALLS[name]
    expected = call(DENSE)
    mode = CountingMode(Ledger(), ATEN_RULES, torch.device("cpu"), DataFlow(), Guard(None))
    with torch.inference_mode(), mode:
        found = call(DENSE)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.is_contiguous() == expected.is_contiguous()
    if expected.numel() > 1:
        assert found.stride() == expected.stride()


class Projected(nn.Module):
    """A function of a linear layer's result and of known tensors."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.function = function

    def forward(self, x: Tensor, *known: Tensor) -> Tensor:
        return self.function(self.linear(x), *known)


@pytest.mark.parametrize(
    ("call", "known"),
    [
        (lambda y, n: y.repeat_interleave(n, 0), [1, 2, 3, 1]),
        (lambda y, start: y.narrow(0, start, 2), 1),
        (lambda y, cuts: y.tensor_split(cuts)[0], [1, 2]),
        (lambda y, q: torch.quantile(y, q, 1), [0.1, 0.5]),
        (lambda y, _: torch.quantile(y, 0.5), 0),
        (lambda y, _: y.sum().mean(0), 0),
        (lambda y, _: F.normalize(y.sum(), dim=0), 0),
    ],
    ids=["repeat", "narrow", "split", "quantiles", "median", "mean of one", "norm of one"],
)
def test_shapes_are_enough_beside_values_that_are_known(
    call: Callable[..., Tensor], known: Any
) -> None:
    model, x, known = Projected(call).eval(), torch.ones(4, 8), torch.tensor(known)
    report = count(model, x, known)
    assert not report.notes
    assert report.cost == count(model.linear, x).cost + count_cost(call, x, known)
