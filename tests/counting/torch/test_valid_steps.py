"""Training steps that leave out padding and masked scores, in both directions."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspect_cost import CountError, count
from inspect_cost.counting.report import CostReport
from inspect_cost.values.cost import OpCost

L, E = 6, 4
CAUSAL = torch.ones(L, L, dtype=torch.bool).tril()
TRIANGLE = 21


def step(model: nn.Module, *inputs: Any, policy: str = "valid") -> CostReport:
    return count(model, *inputs, backward=True, policy=policy)


class Attention(nn.Module):
    """Attention on parameters."""

    def __init__(self, q: Any, k: Any, v: Any, **options: Any) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Parameter(torch.zeros(*shape)) for shape in (q, k, v))
        self.options = options

    def forward(self, _: Tensor) -> Any:
        return F.scaled_dot_product_attention(self.q, self.k, self.v, **self.options)


def attend(*shapes: Any, **options: Any) -> CostReport:
    q, k, v = shapes if len(shapes) == 3 else (shapes[0],) * 3
    return step(Attention(q, k, v, **options), torch.zeros(1))


def numbers(kept: Tensor) -> Tensor:
    return torch.zeros(kept.shape).masked_fill(~kept, -math.inf)


def test_a_convolution_skips_its_padding_twice() -> None:
    layer, x = nn.Conv2d(2, 3, 3, padding=1, bias=False), torch.zeros(1, 2, 5, 5)
    assert step(layer, x).macs == 2 * 13 * 13 * 6
    assert step(layer, x, policy="dense").macs == 2 * 25 * 9 * 6


def test_six_products_over_the_triangle() -> None:
    assert attend((1, 2, L, E), is_causal=True).macs == 6 * 2 * E * TRIANGLE == 1008
    dense = step(Attention(*[(1, 2, L, E)] * 3, is_causal=True), torch.zeros(1), policy="dense")
    assert dense.macs == 1728


Q = (1, 2, L, E)
FORMS: dict[str, tuple[Callable[[], CostReport], int]] = {
    "boolean mask": (lambda: attend(Q, attn_mask=CAUSAL), 6 * 2 * E * TRIANGLE),
    "mask of numbers": (lambda: attend(Q, attn_mask=numbers(CAUSAL)), 6 * 2 * E * TRIANGLE),
    "by heads": (
        lambda: attend(Q, attn_mask=torch.stack([CAUSAL, torch.ones_like(CAUSAL)])),
        6 * E * (TRIANGLE + L * L),
    ),
    "without heads": (lambda: attend((L, E), is_causal=True), 6 * E * TRIANGLE),
    "three dimensions": (lambda: attend((3, L, E), is_causal=True), 6 * 3 * E * TRIANGLE),
    "five dimensions": (lambda: attend((2, 1, 3, L, E), is_causal=True), 6 * 6 * E * TRIANGLE),
    "longer values": (
        lambda: attend((1, 2, L, E), (1, 2, L, E), (1, 2, L, 7), is_causal=True),
        3 * 2 * (E + 7) * TRIANGLE,
    ),
    "more keys": (
        lambda: attend((2, 3, E), (2, 5, E), (2, 5, E), is_causal=True),
        6 * 2 * E * (1 + 2 + 3),
    ),
    "grouped heads": (
        lambda: attend((1, 4, L, E), (1, 2, L, E), (1, 2, L, E), is_causal=True, enable_gqa=True),
        6 * 4 * E * TRIANGLE,
    ),
    "one key for all": (
        lambda: attend((3, 2, L, E), (1, 2, L, E), (1, 2, L, E), is_causal=True),
        6 * 6 * E * TRIANGLE,
    ),
    "scaled": (lambda: attend(Q, is_causal=True, scale=0.5), 6 * 2 * E * TRIANGLE),
    "unmasked": (lambda: attend(Q), 6 * 2 * E * L * L),
    "nothing kept": (lambda: attend(Q, attn_mask=torch.zeros_like(CAUSAL)), 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_attention(form: str) -> None:
    call, macs = FORMS[form]
    report = call()
    assert report.complete
    assert report.macs == macs


def test_dropout_of_kept_probabilities() -> None:
    plain, dropped = (attend(Q, is_causal=True, dropout_p=p) for p in (0.0, 0.1))
    more = {"mul": 2 * 2 * TRIANGLE, "compare": 2 * TRIANGLE}  # there and back, two heads
    for name, operations in plain.flops_by_class.items():
        assert dropped.flops_by_class[name] == operations + more.get(name, 0)


def test_a_mask_of_numbers_is_added_where_it_is_more_than_a_choice() -> None:
    bias = numbers(CAUSAL) + 0.5
    choice, added = (attend(Q, attn_mask=mask) for mask in (CAUSAL, bias))
    assert added.macs == choice.macs
    assert added.flops_by_class["add"] == choice.flops_by_class["add"] + 2 * TRIANGLE


def test_a_mask_that_learns_keeps_its_gradient() -> None:
    class Biased(Attention):
        def __init__(self) -> None:
            super().__init__(Q, Q, Q)
            self.bias = nn.Parameter(torch.zeros(L, L))

        def forward(self, _: Tensor) -> Any:
            return F.scaled_dot_product_attention(self.q, self.k, self.v, self.bias)

    dense, valid = (step(Biased(), torch.zeros(1), policy=p) for p in ("dense", "valid"))
    assert dense.cost == valid.cost


def test_what_torch_refuses_is_refused() -> None:
    with pytest.raises(CountError):
        attend(Q, attn_mask=torch.ones(5, L, dtype=torch.bool))
    with pytest.raises(CountError):
        attend((1, 2, L, E), (1, 2, L, 5), (1, 2, L, E), is_causal=True)


class SelfAttention(nn.Module):
    """Multi-head attention of 16 features in 4 heads."""

    def __init__(self, *, weights: bool = False, **masks: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, bias=False, batch_first=True)
        self.weights, self.masks = weights, masks

    def forward(self, x: Tensor) -> Any:
        return self.attention(x, x, x, need_weights=self.weights, **self.masks)


PADDED = torch.tensor([[False] * 4 + [True] * 2])
MASKS: dict[str, tuple[dict[str, Any], int]] = {
    "causal": ({"attn_mask": ~CAUSAL}, TRIANGLE),
    "causal by name": ({"attn_mask": ~CAUSAL, "is_causal": True}, TRIANGLE),
    "numbers": ({"attn_mask": numbers(CAUSAL)}, TRIANGLE),
    "padding": ({"key_padding_mask": PADDED}, L * 4),
    "both": ({"attn_mask": ~CAUSAL, "key_padding_mask": PADDED}, 1 + 2 + 3 + 3 * 4),
    "neither": ({}, L * L),
}


@pytest.mark.parametrize("weights", [False, True], ids=["alone", "with weights"])
@pytest.mark.parametrize("masks", MASKS)
def test_masks_of_multi_head_attention(masks: str, weights: bool) -> None:
    options, kept = MASKS[masks]
    model, x = SelfAttention(weights=weights, **options), torch.zeros(1, L, 16)
    projections, products = 4 * L * 256, 2 * kept * 16
    report, trained = count(model, x, policy="valid"), step(model, x)
    assert report.macs == projections + products
    # The input of the three projections needs no gradient.
    assert trained.macs == 3 * projections - 3 * L * 256 + 3 * products
    assert (report.complete, trained.complete, report.unread) == (True, True, ())
    everything = count(model, x).macs
    assert everything == projections + 2 * L * L * 16


def test_weights_of_attention_by_class() -> None:
    """Beside the products: scaled queries, softmax of what is kept, and the mean of four heads."""
    report = count(
        SelfAttention(weights=True, attn_mask=~CAUSAL), torch.zeros(1, L, 16), policy="valid"
    )
    attention, mean = report.by_operator["aten.softmax"].cost, report.by_operator["aten.mean"].cost
    kept = 4 * TRIANGLE
    assert attention == OpCost(add=2 * kept - 4 * L, special=kept, div=kept, compare=kept - 4 * L)
    assert mean == OpCost(add=3 * L * L, div=L * L)
    assert report.by_operator["aten.baddbmm"].cost == OpCost(macs=kept * 4)


def test_weights_on_real_values_count_alike() -> None:
    class Reading(SelfAttention):
        def forward(self, x: Tensor) -> Any:
            out, weights = self.attention(x, x, x, **self.masks)
            return out * 2 if float(weights.sum()) > 0 else out

    x = torch.zeros(1, L, 16)
    known = count(Reading(attn_mask=~CAUSAL), x, policy="valid")
    assert known.macs == count(SelfAttention(attn_mask=~CAUSAL), x, policy="valid").macs


def test_an_encoder_layer_in_training() -> None:
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)

    class Causal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Any:
            return self.layer(x, src_mask=~CAUSAL)

    x = torch.zeros(2, L, 16)
    dense, valid = (step(Causal(), x, policy=p) for p in ("dense", "valid"))
    assert valid.complete
    assert dense.macs - valid.macs == 6 * 2 * 16 * (L * L - TRIANGLE)
    assert valid.flops < dense.flops
