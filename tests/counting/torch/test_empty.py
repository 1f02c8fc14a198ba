"""Calls of empty tensors are counted: nothing is negative, and nothing divides by zero."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspect_cost import count


class Scaled(nn.Module):
    """A function of inputs that were scaled by a parameter, so that all of them have gradients."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, *operands: Tensor) -> Any:
        return self.function(*(x * self.scale if x.is_floating_point() else x for x in operands))


Shape = tuple[int, ...]

#: Functions, and shapes of their operands.
EMPTY: dict[str, tuple[Callable[..., Any], tuple[Shape, ...]]] = {
    "no keys": (F.scaled_dot_product_attention, ((1, 2, 3, 4), (1, 2, 0, 4), (1, 2, 0, 4))),
    "no queries": (F.scaled_dot_product_attention, ((1, 2, 0, 4), (1, 2, 3, 4), (1, 2, 3, 4))),
    "no batch": (F.scaled_dot_product_attention, ((0, 2, 3, 4), (0, 2, 3, 4), (0, 2, 3, 4))),
    "a softmax": (lambda x: x.softmax(-1), ((3, 0),)),
    "a log-softmax": (lambda x: x.log_softmax(-1), ((3, 0),)),
    "a sum": (lambda x: x.sum(-1), ((3, 0),)),
    "a mean": (lambda x: x.mean(-1), ((3, 0),)),
    "a product": (lambda x: x.prod(-1), ((3, 0),)),
    "a norm": (lambda x: x.norm(dim=-1), ((3, 0),)),
    "a log of sums": (lambda x: x.logsumexp(-1), ((3, 0),)),
    "a layer norm": (lambda x: F.layer_norm(x, (4,)), ((0, 4),)),
    "a layer norm of nothing": (lambda x: F.layer_norm(x, (0,)), ((3, 0),)),
    "a root mean square": (lambda x: F.rms_norm(x, (0,)), ((3, 0),)),
    "a group norm": (lambda x: F.group_norm(x, 2), ((0, 4, 3),)),
    "a batch norm": (
        lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False),
        ((0, 4, 3),),
    ),
    "a product of matrices": (torch.matmul, ((3, 0), (0, 4))),
    "a linear layer": (F.linear, ((0, 4), (3, 4), (3,))),
    "a convolution": (F.conv2d, ((0, 3, 5, 5), (4, 3, 3, 3), (4,))),
    "a transposed convolution": (F.conv_transpose2d, ((0, 3, 5, 5), (3, 4, 3, 3), (4,))),
    "a pooling": (lambda x: F.avg_pool2d(x, 2), ((0, 3, 4, 4),)),
    "an adaptive pooling": (lambda x: F.adaptive_avg_pool2d(x, 2), ((0, 3, 4, 4),)),
    "a largest": (lambda x: F.max_pool2d(x, 2), ((0, 3, 4, 4),)),
    "a resizing": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), ((0, 3, 4, 4),)),
    "a mean square": (F.mse_loss, ((0, 3), (0, 3))),
    "a distance": (torch.cdist, ((0, 3), (2, 3))),
}


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("backward", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("policy", ["dense", "valid"])
def test_no_cost_is_negative(name: str, backward: bool, policy: str) -> None:
    function, shapes = EMPTY[name]
    operands = [torch.zeros(shape) for shape in shapes]
    function(*operands)  # torch accepts the call
    report = count(Scaled(function).eval(), *operands, backward=backward, policy=policy)
    assert report.macs >= 0
    for tally in report.tallies:
        assert min(astuple(tally.cost)) >= 0, tally
    if name.startswith("no "):
        scalings = sum(x.numel() for x in operands)
        assert report.macs == 0
        assert backward or report.flops == scalings


@pytest.mark.parametrize("policy", ["dense", "valid"])
def test_a_mask_of_no_batch_is_free(policy: str) -> None:
    def attend(query: Tensor, mask: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(query, query, query, mask)

    query, mask = torch.zeros(0, 2, 3, 4), torch.ones(0, 1, 3, 3, dtype=torch.bool)
    assert count(Scaled(attend).eval(), query, mask, policy=policy).flops == 0


@pytest.mark.parametrize("layer", [nn.LSTM(3, 4), nn.GRU(3, 4)], ids=["lstm", "gru"])
def test_a_recurrent_layer_of_no_batch_is_free(layer: nn.Module) -> None:
    assert count(layer.eval(), torch.zeros(5, 0, 3)).flops == 0
