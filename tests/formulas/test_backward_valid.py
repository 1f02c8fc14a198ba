"""Gradients without what padding and masks make useless, against loops that skip it."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.counting.torch.aten.policies import select_rules
from inspect_cost.formulas import backward as formula
from inspect_cost.values.policy import NAMED
from tests.formulas.naive import backward as naive
from tests.formulas.proof import EXACT, SIZE, draw_normal, run_reference
from tests.formulas.test_contraction import convolutions
from tests.formulas.test_policies import count_taps_by_looking

RULES = select_rules(NAMED["valid"])
ATTENTION = "aten._scaled_dot_product_flash_attention_for_cpu_backward"


class Convolved(nn.Module):
    """A convolution whose operands are what gradients are wanted of."""

    def __init__(self, x: Tensor, weight: Tensor, convolve: Any, options: Any, wanted: Any) -> None:
        super().__init__()
        self.x = nn.Parameter(x, requires_grad=wanted[0])
        self.weight = nn.Parameter(weight, requires_grad=wanted[1])
        self.convolve, self.options = convolve, options

    def forward(self, _: Tensor) -> Any:
        return self.convolve(self.x, self.weight, None, **self.options)


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_each_gradient_of_a_convolution_takes_the_taps_of_the_forward(
    dimensions: int, transposed: bool, wanted: tuple[bool, bool], data: st.DataObject
) -> None:
    c = data.draw(convolutions(dimensions, transposed=transposed))
    x, W = draw_normal(c.x, c.W)
    convolve = getattr(F, f"conv{'_transpose' if transposed else ''}{dimensions}d")
    taps = count_taps_by_looking(c, convolve(x, W, None, **c.options), transposed=transposed)
    step = Convolved(x, W, convolve, c.options, wanted)
    report = count(step, torch.zeros(1), backward=True, policy="valid")
    assert report.macs == taps * (1 + sum(wanted))


@EXACT
@given(
    channels=SIZE,
    features=SIZE,
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
)
def test_gradients_of_a_convolution_by_loops(
    channels: int, features: int, kernel: int, stride: int, padding: int
) -> None:
    x, W = draw_normal((2, channels, 5), (features, channels, kernel))
    (g,) = draw_normal(torch.conv1d(x, W, stride=stride, padding=padding).shape)
    places = (stride, padding)
    options = ([features], [stride], [padding], [1], False, [0], 1)
    for part, reference in enumerate(
        (
            lambda g, x, W: naive.valid_convolution_of_input(g, W, x.shape, *places),
            lambda g, x, W: naive.valid_convolution_of_weight(g, x, W.shape, *places),
        )
    ):
        mask = [part == i for i in range(3)]
        expected = torch.ops.aten.convolution_backward(g, x, W, *options, mask)[part]
        spent = run_reference(reference, g, x, W, expected=expected)
        assert RULES["aten.convolution_backward"](None, g, x, W, *options, mask) == spent


@EXACT
@given(L=SIZE, S=SIZE, E=SIZE, Ev=SIZE, seed=st.integers(0, 99))
def test_gradients_of_masked_attention(L: int, S: int, E: int, Ev: int, seed: int) -> None:
    q, k, v, g = draw_normal((L, E), (S, E), (S, Ev), (L, Ev))
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(L, S, generator=generator) < 0.6
    seen = [[s for s in range(S) if kept[i, s]] for i in range(L)]

    def probabilities(q: Any, k: Any) -> Any:
        scores = (q @ k.T / math.sqrt(E)).masked_fill(~kept, -math.inf)
        return torch.softmax(scores, -1).nan_to_num()

    def call(q: Any, k: Any, v: Any, _P: Any, g: Any) -> Any:
        leaves = [t.detach().requires_grad_() for t in (q, k, v)]
        with torch.enable_grad():
            P = torch.where(kept, probabilities(*leaves[:2]), 0.0)
            out = P @ leaves[2]
        return torch.cat([t.flatten() for t in torch.autograd.grad(out, leaves, g)]).nan_to_num()

    def reference(q: Any, k: Any, v: Any, P: Any, g: Any) -> np.ndarray:
        parts = naive.masked_attention(g, q, k, v, P, seen)
        return np.concatenate([t.reshape(-1) for t in parts])

    operands = (q, k, v, probabilities(q, k), g)
    spent = run_reference(reference, *operands, expected=call(*operands))
    scores, rows = sum(map(len, seen)), sum(map(bool, seen))
    assert spent == formula.masked_attention(scores, rows, E, Ev)
    heads = [t.expand(2, 3, *t.shape) for t in (g, q, k, v)]
    numbers = torch.zeros(L, S).masked_fill(~kept, -math.inf)
    for mask in (kept, numbers):
        assert RULES[ATTENTION](None, *heads, None, None, 0.0, False, attn_mask=mask) == spent * 6


def test_without_a_mask_both_formulas_agree() -> None:
    for L, S, E, Ev in itertools.product((1, 3), (1, 4), (2, 5), (1, 3)):
        full = formula.attention(5, L, S, E, Ev)
        assert formula.masked_attention(5 * L * S, 5 * L, E, Ev) == full


@pytest.mark.parametrize("lengths", [[3], [1, 4, 2], [2, 2], []])
def test_rows_of_a_softmax_may_differ_in_length(lengths: list[int]) -> None:
    def reference(*rows: Any) -> np.ndarray:
        gradients, results = rows[: len(lengths)], rows[len(lengths) :]
        made = [naive.softmax(list(g), list(y)) for g, y in zip(gradients, results, strict=True)]
        return np.array([x for row in made for x in row], dtype=object)

    gradients = draw_normal(*[(n,) for n in lengths]) if lengths else ()
    results = [x.softmax(0) for x in draw_normal(*[(n,) for n in lengths])] if lengths else []
    pairs = zip(gradients, results, strict=True)
    expected = [y * (g - (g * y).sum()) for g, y in pairs]
    joined = torch.cat([*expected, torch.zeros(0, dtype=torch.double)])
    spent = run_reference(reference, *gradients, *results, expected=joined)
    assert formula.ragged_softmax(len(lengths), sum(lengths)) == spent
