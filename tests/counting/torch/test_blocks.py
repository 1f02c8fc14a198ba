"""Blocks of today's language models in plain torch, against closed forms."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspect_cost import OpCost, count
from tests.counting.torch.models import is_real_run

B, T, D, INNER = 2, 6, 8, 12


def cost_of(block: nn.Module, *inputs: Tensor) -> OpCost:
    report = count(block.eval(), *inputs)
    assert report.complete, report.uncounted
    return report.cost


class RMSNorm(nn.Module):
    """Root mean square norm as written in Llama."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(D))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def test_rms_norm_costs_the_same_by_hand_and_as_torchs_layer() -> None:
    x, rows = torch.ones(B, T, D), B * T
    by_hand = cost_of(RMSNorm(), x * 1)
    assert by_hand == cost_of(nn.RMSNorm(D), x)
    assert by_hand.flops == rows * (4 * D + 2)


class Rotary(nn.Module):
    """Queries rotated by their positions."""

    speeds: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(D, D, bias=False)
        self.register_buffer("speeds", 10000.0 ** (-torch.arange(0, D, 2) / D))

    def forward(self, x: Tensor) -> Any:
        angles = torch.outer(torch.arange(x.shape[1], dtype=torch.float32), self.speeds)
        angles = torch.cat([angles, angles], -1)
        q = self.query(x)
        a, b = q.chunk(2, -1)
        return q * angles.cos() + torch.cat([-b, a], -1) * angles.sin()


def test_rotary_positions() -> None:
    angles = OpCost(mul=T * D // 2, special=2 * T * D)
    turned = OpCost(macs=B * T * D * D, mul=2 * B * T * D, add=B * T * D + B * T * D // 2)
    assert cost_of(Rotary(), torch.ones(B, T, D)) == angles + turned


class SwiGLU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = (nn.Linear(D, INNER, bias=False) for _ in range(2))
        self.down = nn.Linear(INNER, D, bias=False)

    def forward(self, x: Tensor) -> Any:
        return self.down(F.silu(self.gate(x)) * self.up(x))


def test_a_gated_mlp() -> None:
    n = B * T
    gates = OpCost(special=n * INNER, mul=2 * n * INNER)
    assert cost_of(SwiGLU(), torch.ones(B, T, D)) == OpCost(macs=3 * n * D * INNER) + gates


class Experts(nn.Module):
    """Each token goes to two of four experts; the forward asks each expert for its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(D, 4, bias=False)
        self.experts = nn.ModuleList(SwiGLU() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2, -1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows, places = (chosen == i).nonzero(as_tuple=True)
            out.index_add_(0, rows, expert(x[rows]) * weights[rows, places, None])
        return out


def test_experts_are_chosen_for_real_and_every_choice_is_counted_once() -> None:
    torch.manual_seed(0)
    n = 5
    report = count(Experts().eval(), torch.randn(n, D))
    assert report.complete
    assert is_real_run(report)
    assert report.macs == n * D * 4 + 2 * n * 3 * D * INNER
    scatter = report.by_operator["aten.index_add_"].cost
    assert scatter == OpCost(add=2 * n * D)


class StateSpace(nn.Module):
    """Mamba's selective scan (Gu & Dao 2023, eq. 2), step by step: N states for each channel."""

    N = 4

    def __init__(self) -> None:
        super().__init__()
        self.log_a = nn.Parameter(torch.zeros(D, self.N))
        self.project = nn.Linear(D, D + 2 * self.N, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        steps, into, out_of = self.project(x).split([D, self.N, self.N], -1)
        steps, a = F.softplus(steps), -self.log_a.exp()
        state, ys = x.new_zeros(x.shape[0], D, self.N), []
        for t in range(x.shape[1]):
            kept = (steps[:, t, :, None] * a).exp()
            state = kept * state + (steps[:, t] * x[:, t])[..., None] * into[:, t, None]
            ys.append((state @ out_of[:, t, :, None]).squeeze(-1))
        return torch.stack(ys, 1)


def test_a_selective_scan() -> None:
    N, n = StateSpace.N, B * T
    projected = OpCost(macs=n * D * (D + 2 * N))
    prepared = OpCost(special=2 * n * D + D * N, add=n * D + D * N)
    decayed = OpCost(mul=n * D * N, special=n * D * N)
    moved = OpCost(mul=n * D * (2 * N + 1), add=n * D * N)
    read_out = OpCost(macs=n * D * N)
    expected = projected + prepared + decayed + moved + read_out
    assert cost_of(StateSpace(), torch.ones(B, T, D)) == expected


class Ungraded(nn.Module):
    """A layer outside of inference mode, where torch decomposes composite operators."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *xs: Tensor) -> Any:
        with torch.inference_mode(False), torch.no_grad():
            out = self.layer(*(x.clone() for x in xs))
        return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(8, 5, 2, bidirectional=True),
        nn.RNN(8, 5),
        nn.Conv1d(6, 4, 3),
        nn.Linear(8, 5),
        nn.LayerNorm(8),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_taken_apart_layers_cost_the_same(layer: nn.Module) -> None:
    x = torch.ones(B, T, D)
    assert cost_of(Ungraded(layer), x) == cost_of(layer, x)


def test_taken_apart_gru_and_attention_differ_in_what_torch_multiplies() -> None:
    """`n + z (h - n)` replaces `(1 - z) n + z h`; queries and keys are scaled instead of scores."""
    x, H = torch.ones(B, T, D), 5
    gru = nn.GRU(D, H)
    whole, parts = cost_of(gru, x), cost_of(Ungraded(gru), x)
    assert whole == parts + OpCost(mul=B * T * H)
    layer = nn.TransformerEncoderLayer(D, 2, 16, batch_first=True)
    whole, parts = cost_of(layer, x), cost_of(Ungraded(layer), x)
    assert parts + OpCost(mul=B * 2 * T * T) == whole + OpCost(mul=2 * B * T * D)
