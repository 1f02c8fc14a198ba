"""Quantised tables, and graphs that quantise between operators on real numbers (pt2e)."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators
from torch import Tensor, nn
from torch.ao import quantization

from inspect_cost import OpCost, count
from inspect_cost.formulas import quantization as formula

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

BITS = {
    8: quantization.float_qparams_weight_only_qconfig,
    4: quantization.float_qparams_weight_only_qconfig_4bit,
}

#: Of a table of 100 rows of 16: its bytes, with a scale and a zero point for each row.
STORED = {8: 1600 + 100 * 2 * 4, 4: 800 + 100 * 2 * 2}


def quantize(layer: nn.Module, bits: int) -> nn.Module:
    layer.qconfig = BITS[bits]  # type: ignore[assignment]
    model = quantization.prepare(nn.Sequential(layer).eval())
    converted: nn.Module = quantization.convert(model)
    return converted


@pytest.mark.parametrize("bits", BITS)
def test_a_table_stores_what_it_packs(bits: int) -> None:
    table = quantize(nn.Embedding(100, 16), bits)
    storage = count(table, torch.zeros(5, dtype=torch.int64)).modules[0][2]
    assert (storage.params, storage.param_bytes) == (1600, STORED[bits])


def test_a_table_is_read_by_rows() -> None:
    report = count(quantize(nn.Embedding(100, 16), 8), torch.zeros(5, dtype=torch.int64))
    assert report.cost == OpCost(add=5 * 16, mul=5 * 16)
    assert report.bytes_moved == 5 * 8 + STORED[8] * 5 // 100 + 5 * 16 * 4


@pytest.mark.parametrize("bits", BITS)
def test_a_bag_has_the_macs_of_the_float_layer(bits: int) -> None:
    layer, x = nn.EmbeddingBag(100, 16, mode="sum"), torch.zeros(5, 3, dtype=torch.int64)
    plain = count(layer.eval(), x)
    report = count(quantize(layer, bits), x)
    assert report.complete
    assert report.cost == plain.cost + formula.SCALE_AND_ZERO * (5 * 3 * 16)


def run(name: str, *args: Any) -> Callable[[Tensor], Any]:
    operators = torch.ops.quantized_decomposed
    packet, _, overload = name.partition(".")
    operator = getattr(getattr(operators, packet), overload or "default")
    return lambda x: operator(x, *args)


def ones(n: int) -> Tensor:
    return torch.ones(n)


def zeros(n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.int64)


INT8 = (-128, 127, torch.int8)
X, Q = torch.ones(4, 6), torch.ones(4, 6, dtype=torch.int8)

OPERATORS: dict[str, tuple[Callable[[Tensor], Any], Tensor, OpCost]] = {
    "to integers": (run("quantize_per_tensor", 0.1, 0, *INT8), X, formula.QUANTIZE * 24),
    "to integers, by a tensor": (
        run("quantize_per_tensor.tensor", ones(1), zeros(1), *INT8),
        X,
        formula.QUANTIZE * 24,
    ),
    "by channel": (
        run("quantize_per_channel", ones(4), zeros(4), 0, *INT8),
        X,
        formula.QUANTIZE * 24,
    ),
    "back": (run("dequantize_per_tensor", 0.1, 0, *INT8), Q, formula.DEQUANTIZE * 24),
    "back, by channel": (
        run("dequantize_per_channel", ones(4), zeros(4), 0, *INT8),
        Q,
        formula.DEQUANTIZE * 24,
    ),
    "the scale": (
        run("choose_qparams.tensor", -128, 127, 1e-6, torch.int8),
        X,
        formula.choose_scale(24),
    ),
    "scales of rows": (
        run("choose_qparams_per_token", torch.int8),
        X,
        formula.choose_scale(6) * 4,
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_between_real_numbers(name: str) -> None:
    function, x, cost = OPERATORS[name]
    report = count(function, x)
    assert report.complete
    assert report.cost == cost


class Net(nn.Module):
    """Convolutions, a skip connection, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.linear = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x).relu()
        out: Tensor = self.linear((self.second(y) + y).mean((2, 3)))
        return out


@pytest.mark.parametrize("dynamic", [False, True])
def test_an_exported_graph_has_the_macs_of_the_float_model(dynamic: bool) -> None:
    pt2e = "torchao.quantization.pt2e"
    quantize_pt2e = pytest.importorskip(f"{pt2e}.quantize_pt2e")
    x86 = pytest.importorskip(f"{pt2e}.quantizer.x86_inductor_quantizer")
    x, model = torch.randn(2, 3, 8, 8), Net().eval()
    config = x86.get_default_x86_inductor_quantization_config(is_dynamic=dynamic)
    quantizer = x86.X86InductorQuantizer().set_global(config)
    prepared = quantize_pt2e.prepare_pt2e(torch.export.export(model, (x,)).module(), quantizer)
    prepared(x)
    report, plain = count(quantize_pt2e.convert_pt2e(prepared), x), count(model, x)
    assert report.complete
    assert report.macs == plain.macs
    weights = 8 * 3 * 9 + 8 * 8 + 8 * 4
    assert report.flops >= plain.flops + 2 * weights
