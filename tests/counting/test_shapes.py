"""Shapes that are worked out here are those of torch's own meta kernels."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost import count
from inspect_cost.counting.shapes import SHAPES

aten = torch.ops.aten
SOME = settings(derandomize=True, deadline=None, max_examples=25)
SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=5)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """On meta, of any layout: permuted, sliced, or contiguous."""
    sizes = draw(SIZES)
    order = draw(st.permutations(range(len(sizes))))
    whole = torch.empty(sizes, device="meta").permute(order)
    return whole[..., : draw(st.integers(1, whole.shape[-1]))]


def agree(name: str, call: Callable[..., Any], *operands: Any, **options: Any) -> bool:
    """Whether there was an answer; where there is one, it is torch's, strides included."""
    mine = SHAPES[name](*operands, **options)
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
    assert SHAPES[name](query, key, value) is None or groups == 4


def test_what_does_not_fit_is_left_to_torch_to_refuse() -> None:
    a, b = torch.empty(2, 3, device="meta"), torch.empty(4, 5, device="meta")
    assert SHAPES["aten.add"](a, b) is None
    assert SHAPES["aten.mm"](a, b) is None
    assert SHAPES["aten._grouped_mm"](a, b) is None


def test_results_written_to_a_given_tensor_are_left_to_torch() -> None:
    class Into(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return torch.mm(x, self.weight, out=torch.empty(2, 3, device="meta"))

    assert count(Into().eval(), torch.ones(2, 3)).macs == 2 * 3 * 3
