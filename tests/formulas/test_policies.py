"""Policies that leave out what padding and masks make useless, against loops that skip it."""

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from inspect_cost import OpCost, Policy, UsageError, count
from inspect_cost.counting.torch.aten import ATEN_RULES
from inspect_cost.counting.torch.aten.policies import VALID_TAPS
from inspect_cost.formulas import attention, contraction, reduction
from tests.formulas.naive.contraction import dot
from tests.formulas.naive.reduction import softmax as naive_softmax
from tests.formulas.proof import EXACT, SIZE, FunctionModule, draw_normal, run_reference
from tests.formulas.test_contraction import Convolution, convolutions

VALID = Policy("valid", "triangular")


def count_macs(call: Any, *operands: Any, policy: Policy = VALID) -> int:
    return count(FunctionModule(call), *operands, policy=policy).macs


def count_taps_by_looking(c: Convolution, out: torch.Tensor, *, transposed: bool) -> int:
    """Count the taps that fall on numbers by convolving ones with ones."""
    x, W = torch.ones(c.x, dtype=torch.float64), torch.ones(c.W, dtype=torch.float64)
    n = len(c.x) - 2
    convolve = getattr(F, f"conv{'_transpose' if transposed else ''}{n}d")
    sums: torch.Tensor = convolve(x, W, None, **c.options)
    assert sums.shape == out.shape
    return round(float(sums.sum()))


@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_taps_on_padding_do_not_count(
    dimensions: int, transposed: bool, data: st.DataObject
) -> None:
    c = data.draw(convolutions(dimensions, transposed=transposed))
    x, W = draw_normal(c.x, c.W)
    convolve = getattr(F, f"conv{'_transpose' if transposed else ''}{dimensions}d")
    out = convolve(x, W, None, **c.options)
    # Each sum of ones is the number of taps that met a number, for each channel that they met.
    expected = count_taps_by_looking(c, out, transposed=transposed)
    assert count_macs(lambda x, W: convolve(x, W, None, **c.options), x, W) == expected
    options = _list_options(c.options, dimensions, transposed=transposed)
    below = count_macs(lambda x, W: torch.convolution(x, W, None, *options), x, W)
    assert below == expected


def _list_options(options: dict[str, Any], n: int, *, transposed: bool) -> list[Any]:
    """List options in the order of aten.convolution."""
    extra = options.get("output_padding", [0] * n)
    sizes = [options["stride"], options["padding"], options["dilation"]]
    return [*sizes, transposed, extra, options["groups"]]


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # it may take a copy
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_by_name(padding: str, kernel: int, dilation: int) -> None:
    x, W = torch.ones(1, 2, 9), torch.ones(3, 2, kernel)
    options: dict[str, Any] = {"padding": padding, "dilation": dilation}
    expected = round(F.conv1d(x, W, **options).sum().item())
    assert count_macs(lambda x, W: F.conv1d(x, W, **options), x, W) == expected


def test_without_a_batch_and_with_a_bias() -> None:
    layer = torch.nn.Conv2d(2, 3, 3, padding=1)
    report = count(layer, torch.ones(2, 4, 5), policy="valid")
    assert report.macs == 3 * 2 * (3 * 4 - 2) * (3 * 5 - 2)
    assert report.cost.add == 3 * 4 * 5
    assert count(layer, torch.ones(2, 4, 5)).macs == 3 * 2 * 9 * 20


@EXACT
@given(L=SIZE, S=SIZE, E=SIZE, Ev=SIZE)
def test_causal_attention_is_a_triangle(L: int, S: int, E: int, Ev: int) -> None:
    q, k, v = draw_normal((1, L, E), (1, S, E), (1, S, Ev))

    def reference(q: Any, k: Any, v: Any) -> np.ndarray:
        out = np.empty((1, L, Ev), dtype=object)
        for i in range(L):
            seen = range(min(i + 1, S))
            weights = naive_softmax([dot(q[0, i], k[0, s]) * (1 / math.sqrt(E)) for s in seen])
            for e in range(Ev):
                out[0, i, e] = dot(weights, [v[0, s, e] for s in seen])
        return out

    def call(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    spent = run_reference(reference, q, k, v, expected=call(q, k, v))
    assert spent == attention.masked_attention(attention.triangle(L, S), L, E, Ev)
    assert count(FunctionModule(call), q, k, v, policy=VALID).cost == spent
    seen = torch.ones(L, S, dtype=torch.bool).tril()

    def by_mask(q: Any, k: Any, v: Any, mask: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    assert count(FunctionModule(by_mask), q, k, v, seen, policy=VALID).cost == spent


def test_rows_of_a_softmax_may_differ_in_length() -> None:
    lengths = [1, 4, 2]
    parts = [reduction.softmax(1, n) for n in lengths]
    assert reduction.ragged_softmax(3, 7) == parts[0] + parts[1] + parts[2]


def test_masks_without_values_leave_every_score() -> None:
    q = torch.ones(1, 2, 3, 4)
    mask = torch.ones(3, 3, dtype=torch.bool)

    def call(q: Any, mask: Any) -> Any:
        return F.scaled_dot_product_attention(q, q, q, attn_mask=mask)

    dense = count(FunctionModule(call), q, mask).cost
    assert count(FunctionModule(call), q, mask.to("meta"), policy="valid").cost == dense
    assert count(FunctionModule(call), q, mask.float(), policy="valid").cost == dense
    assert count(FunctionModule(call), q, mask, policy="valid").macs == dense.macs


def test_the_two_choices_are_independent() -> None:
    q = torch.ones(1, 1, 4, 4)

    def both(q: Any) -> Any:
        y = F.scaled_dot_product_attention(q, q, q, is_causal=True)
        return F.conv1d(y[0][:, :1], torch.ones(1, 1, 3), padding=1)

    found = {
        str(policy): count(FunctionModule(both), q, policy=policy).macs
        for policy in itertools.starmap(
            Policy, itertools.product(("dense", "valid"), ("full", "triangular"))
        )
    }
    assert found == {
        "dense": 128 + 12,
        "dense taps, triangular attention": 80 + 12,
        "valid taps, full attention": 128 + 10,
        "valid": 80 + 10,
    }


def test_reports_name_their_policy() -> None:
    layer, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    assert count(layer, x).policy == "dense"
    assert count(layer, x, policy="valid").policy == "valid"


def test_there_is_no_other_policy() -> None:
    layer, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with pytest.raises(UsageError, match="sparse"):
        count(layer, x, policy="sparse")
    with pytest.raises(ValueError, match="full"):
        Policy("full")  # type: ignore[arg-type]


def test_every_convolution_has_a_rule_for_its_valid_taps() -> None:
    convolving = {
        name for name in ATEN_RULES if re.match(r"(aten\._?|quantized\.)conv(?!ert)", name)
    }
    assert VALID_TAPS.keys() == convolving


def test_the_formulas_alone() -> None:
    inside = [contraction.taps_inside(4, 4, 3, stride=1, padding=1, dilation=1)]
    assert inside == [10]
    plain = contraction.valid_convolution((5, 2, 3), (1, 5, 4), inside, biased=True)
    assert plain == OpCost(macs=5 * 2 * 10, add=20)
    transposed = contraction.valid_transposed_convolution(
        (1, 2, 4), (2, 5, 3), (1, 5, 4), inside, biased=True
    )
    assert transposed == OpCost(macs=2 * 5 * 10, add=20)
