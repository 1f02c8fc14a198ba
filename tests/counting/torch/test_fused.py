"""Kernels that fuse layers, or serve one device, cost what the layers they replace do."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspect_cost import CostReport, OpCost, count
from inspect_cost.counting.torch.aten.table import ATEN_RULES
from inspect_cost.formulas.attention import scaled_dot_product_attention
from tests.counting.torch.models import is_real_run

aten = torch.ops.aten


class Asking(nn.Module):
    """A layer whose result is read, so that it runs on real values."""

    def __init__(self, layer: nn.Module, *, asks: bool) -> None:
        super().__init__()
        self.layer, self.asks = layer, asks

    def forward(self, *xs: Tensor, **options: Any) -> Any:
        out = self.layer(*xs, **options)
        first = out[0] if isinstance(out, tuple) else out
        return first.shape[0] and first.max().item() if self.asks else out


def count_both_ways(layer: nn.Module, *xs: Tensor, **options: Any) -> list[CostReport]:
    reports = [count(Asking(layer, asks=asks).eval(), *xs, **options) for asks in (False, True)]
    assert all(report.complete for report in reports)
    assert not reports[0].notes
    assert is_real_run(reports[1])
    return reports


def layer_cost(report: CostReport) -> OpCost:
    return report.by_module["layer"].cost


ENCODER = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
LAYERS: dict[str, tuple[nn.Module, str]] = {
    "encoder layer": (ENCODER, "aten._transformer_encoder_layer_fwd"),
    "gelu, norm first": (
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu", norm_first=True),
        "aten._transformer_encoder_layer_fwd",
    ),
    "encoder": (nn.TransformerEncoder(ENCODER, 2), "aten._transformer_encoder_layer_fwd"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_fast_path_of_encoders(name: str) -> None:
    layer, kernel = LAYERS[name]
    shapes, real = count_both_ways(layer.eval(), torch.ones(2, 5, 16))
    assert kernel in real.by_operator
    assert kernel not in shapes.by_operator
    assert layer_cost(shapes) == layer_cost(real)


@pytest.mark.parametrize("need_weights", [True, False])
def test_the_fast_path_of_attention(need_weights: bool) -> None:
    layer, x = nn.MultiheadAttention(16, 4, batch_first=True).eval(), torch.ones(2, 5, 16)
    shapes, real = count_both_ways(layer, x, x, x, need_weights=need_weights)
    assert "aten._native_multi_head_attention" in real.by_operator
    assert layer_cost(shapes) == layer_cost(real)


RECURRENT = [
    nn.LSTM(5, 7, 2, bidirectional=True),
    nn.LSTM(5, 7, 2, proj_size=3),
    nn.GRU(5, 7, 2, bias=False),
    nn.RNN(5, 7, nonlinearity="relu"),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("layer", RECURRENT, ids=str)
def test_recurrent_layers_cost_the_same_for_real(layer: nn.Module) -> None:
    shapes, real = count_both_ways(layer, torch.ones(4, 3, 5))
    assert layer_cost(shapes) == layer_cost(real)


class Cells(nn.Module):
    """A layer's steps, taken by a cell."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Any:
        state: Any = None
        for step in x:
            state = self.cell(step, state)
        return state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_layer_costs_what_its_cell_does_step_by_step(kind: str) -> None:
    layer, cell = getattr(nn, kind)(5, 7), getattr(nn, f"{kind}Cell")(5, 7)
    x = torch.ones(4, 3, 5)
    assert count(layer.eval(), x).cost == count(Cells(cell).eval(), x).cost


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_packed_sequences_take_their_own_steps(kind: str) -> None:
    layer = getattr(nn, kind)(5, 7, bidirectional=True).eval()
    packed = nn.utils.rnn.pack_padded_sequence(torch.ones(4, 3, 5), torch.tensor([4, 2, 1]))
    one = count(layer, torch.ones(1, 1, 5)).cost
    assert count(layer, packed).cost == one * 7


def test_the_kernel_of_a_cpu_is_one_direction_of_one_layer() -> None:
    layer, x = nn.LSTM(5, 7).eval(), torch.ones(4, 3, 5)
    weights = [p.detach() for p in layer.parameters()]
    state = torch.zeros(1, 3, 7)
    rule = ATEN_RULES["aten.mkldnn_rnn_layer"]
    flags: tuple[Any, ...] = (False, [], 2, 7, 1, True, False, False, False)
    out = aten.mkldnn_rnn_layer(x, *weights, state[0], state[0], *flags)
    cost = rule(out, x, *weights, state[0], state[0], *flags)
    assert cost == count(layer, x).cost


def test_the_kernel_of_a_gpu_has_all_layers() -> None:
    layer, x = nn.GRU(5, 7, 2, bidirectional=True).eval(), torch.ones(4, 3, 5)
    weights, state = list(layer.parameters()), torch.zeros(4, 3, 7)
    rule = ATEN_RULES["aten._cudnn_rnn"]
    cost = rule(None, x, weights, 4, None, state, None, 3, 7, 0, 2, False, 0.0, False, True, [])
    assert cost == count(layer, x).cost


QUERY, KEY, VALUE = (torch.ones(2, 4, n, e) for n, e in ((5, 8), (7, 8), (7, 8)))
KERNELS: dict[str, tuple[Any, ...]] = {
    "scaled_dot_product_attention": (None, 0.0, True),
    "_scaled_dot_product_attention_math": (None, 0.0, True),
    "_scaled_dot_product_flash_attention": (0.0, True),
    "_scaled_dot_product_flash_attention_for_cpu": (0.0, True),
    "_scaled_dot_product_efficient_attention": (None, False, 0.0, True),
    "_scaled_dot_product_cudnn_attention": (None, False, 0.0, True),
    "_scaled_dot_product_fused_attention_overrideable": (None, 0.0, True),
}


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_of_attention_costs_the_same(name: str) -> None:
    out = torch.empty(2, 4, 5, 8)
    cost = ATEN_RULES[f"aten.{name}"]((out, None), QUERY, KEY, VALUE, *KERNELS[name])
    assert cost == scaled_dot_product_attention(2 * 4, 5, 7, 8, 8, masked=True)


class Grouped(nn.Module):
    """Attention with fewer keys than queries, grouped by the kernel or repeated before it."""

    def __init__(self, *, repeated: bool) -> None:
        super().__init__()
        self.repeated, self.scale = repeated, nn.Parameter(torch.ones(()))

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        k = k.repeat_interleave(4, 1) if self.repeated else k
        return F.scaled_dot_product_attention(q * self.scale, k, k, enable_gqa=not self.repeated)


def test_grouped_queries_cost_as_if_keys_were_repeated() -> None:
    q, k = torch.ones(2, 8, 5, 4), torch.ones(2, 2, 5, 4)
    grouped, repeated = (count(Grouped(repeated=r).eval(), q, k) for r in (False, True))
    assert grouped.cost == repeated.cost
    assert grouped.macs == 2 * 2 * 8 * 5 * 5 * 4
