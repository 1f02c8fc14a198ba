"""Attention of jagged tensors costs what attention of each sequence by itself does."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspect_cost import count
from inspect_cost.counting.report import CostReport
from inspect_cost.values.errors import CountError


def jagged(*lengths: int, features: int = 8) -> Tensor:
    made: Tensor = torch.nested.nested_tensor(
        [torch.randn(n, features) for n in lengths], layout=torch.jagged
    )
    return made


class Attention(nn.Module):
    def __init__(self, heads: int = 2, **options: Any) -> None:
        super().__init__()
        self.proj, self.heads, self.options = nn.Linear(8, 8), heads, options

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        y = self.split(x)
        z = y if context is None else self.split(context)
        out = F.scaled_dot_product_attention(y, z, z, **self.options)
        return x + out.transpose(1, 2).flatten(2)

    def split(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(x)
        return out.unflatten(-1, (self.heads, 8 // self.heads)).transpose(1, 2)


def one_by_one(model: nn.Module, *lengths: int, **options: Any) -> CostReport:
    """Return the cost of plain sequences, one by one in one call."""
    plain = [torch.randn(1, n, 8) for n in lengths]
    return count(lambda: [model(x) for x in plain], **options)


@pytest.mark.parametrize("policy", ["dense", "valid"])
def test_each_sequence_has_its_own_length(policy: str) -> None:
    report = count(Attention(), jagged(2, 5), policy=policy)
    assert report.macs == 7 * 64 + 2 * 8 * (4 + 25) == 912
    assert report.complete


@pytest.mark.parametrize(
    ("policy", "backward"), [("dense", False), ("valid", False), ("dense", True)]
)
@pytest.mark.parametrize(
    ("lengths", "heads", "options"),
    [
        ((2, 5), 2, {}),
        ((1, 1, 9), 4, {"scale": 0.5}),
        ((7,), 1, {}),
        ((3, 4), 2, {"is_causal": True}),
    ],
)
def test_jagged_costs_are_those_of_plain_sequences(
    lengths: tuple[int, ...], heads: int, options: dict[str, Any], backward: bool, policy: str
) -> None:
    model = Attention(heads, **options)
    report = count(model, jagged(*lengths), policy=policy, backward=backward)
    plain = one_by_one(model, *lengths, policy=policy, backward=backward)
    assert report.macs == plain.macs > 0
    if not backward:  # a batch adds up its bias's gradients in another order
        assert report.flops == plain.flops


def test_queries_and_keys_have_lengths_of_their_own() -> None:
    report = count(Attention(), jagged(2, 5), jagged(3, 1))
    assert report.macs == (7 + 4) * 64 + 2 * 8 * (2 * 3 + 5 * 1)


def test_a_model_without_values_is_told_what_it_lacks() -> None:
    with torch.device("meta"):
        model = Attention()
    with pytest.raises(CountError) as raised:
        count(model, jagged(2, 5))
    assert "real device" in raised.value.advice
