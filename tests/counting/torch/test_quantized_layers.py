"""Statically quantised models have the MACs of what they were made from, and quantising counts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from inspect_cost import CostReport, count
from inspect_cost.formulas import quantization as formula
from inspect_cost.formulas.pointwise import ADD, RELU
from inspect_cost.values.cost import OpCost

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

Make = Callable[[], nn.Module]


@pytest.fixture(autouse=True)
def _same_engine_afterwards() -> Iterator[None]:
    before = torch.backends.quantized.engine
    yield
    torch.backends.quantized.engine = before


def quantize(model: nn.Module, x: Tensor, engine: str = "fbgemm") -> nn.Module:
    """Quantise a model as the fx workflow does."""
    torch.backends.quantized.engine = engine
    prepared = prepare_fx(model.eval(), get_default_qconfig_mapping(engine), (x,))
    prepared(x)
    made: nn.Module = convert_fx(prepared)
    return made


def cost_of(report: CostReport, operator: str) -> OpCost:
    found = [tally.cost for tally in report.tallies if tally.operator == operator]
    assert len(found) == 1
    return found[0]


LAYERS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 5), (3, 6)),
    "linear without bias": (lambda: nn.Linear(6, 5, bias=False), (3, 6)),
    "linear on sequences": (lambda: nn.Linear(6, 5), (2, 3, 6)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=2, stride=2), (2, 4, 9)),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3, padding=1, dilation=2), (2, 4, 9, 8)),
    "conv2d in groups": (lambda: nn.Conv2d(4, 8, (3, 1), groups=4, bias=False), (1, 4, 6, 6)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2, stride=2, padding=1), (1, 2, 4, 5, 6)),
}


@pytest.mark.parametrize("policy", ["dense", "valid"])
@pytest.mark.parametrize("then_relu", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_the_macs_of_the_float_layer(layer: str, then_relu: bool, policy: str) -> None:
    make, size = LAYERS[layer]
    x = torch.rand(size)
    model = nn.Sequential(make(), *[nn.ReLU()] * then_relu)
    plain, report = (
        count(model.eval(), x, policy=policy),
        count(quantize(model, x), x, policy=policy),
    )
    assert report.complete
    assert report.macs == plain.macs
    results, numbers = model(x).numel(), x.numel()
    biased = ADD * results * (model[0].bias is not None)
    each = formula.REQUANTIZE + (RELU if then_relu else OpCost())
    layer_cost = OpCost(macs=plain.macs) + biased + each * results
    assert report.cost == layer_cost + formula.QUANTIZE * numbers + formula.DEQUANTIZE * results


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("policy", ["dense", "valid"])
def test_transposed_convolutions(n: int, policy: str) -> None:
    plain = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[n - 1]
    kinds = torch.ao.nn.quantized
    quantized = (kinds.ConvTranspose1d, kinds.ConvTranspose2d, kinds.ConvTranspose3d)[n - 1]
    sizes: dict[str, Any] = {"stride": 2, "padding": 1, "output_padding": 1}
    x = torch.rand(1, 4, *range(4, 4 + n))
    torch.backends.quantized.engine = "fbgemm" if n == 3 else "qnnpack"
    layer = quantized(4, 6, 3, **sizes)
    expected = count(plain(4, 6, 3, **sizes), x, policy=policy)
    report = count(layer, torch.quantize_per_tensor(x, 0.1, 0, torch.quint8), policy=policy)
    assert report.complete
    assert report.macs == expected.macs


class Block(nn.Module):
    """A residual block of a classifier: what fx fuses, and what it leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8)
        self.second, self.last = nn.Conv2d(8, 8, 3, groups=4, padding=1), nn.Linear(8, 5)
        self.swish = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        a = torch.relu(self.norm(self.first(x)))
        b = torch.relu(a + self.second(a)) * 0.5
        pooled = torch.cat([self.swish(b), torch.sigmoid(b)], 1).mean((2, 3))
        scores: Tensor = self.last(pooled[:, :8])
        return scores


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "x86"])
def test_a_network(engine: str) -> None:
    x = torch.rand(2, 3, 8, 8)
    plain, report = count(Block().eval(), x), count(quantize(Block(), x, engine), x)
    assert report.complete
    assert report.macs == plain.macs
    results = 2 * 8 * 4 * 4
    both = ADD + RELU + 2 * formula.DEQUANTIZE + formula.QUANTIZE
    assert cost_of(report, "quantized.add_relu") == both * results


def test_the_eager_workflow() -> None:
    stubs = torch.ao.quantization
    model = nn.Sequential(stubs.QuantStub(), nn.Conv2d(3, 4, 3), nn.ReLU(), stubs.DeQuantStub())
    x, torch.backends.quantized.engine = torch.rand(1, 3, 6, 6), "fbgemm"
    model.eval().qconfig = stubs.get_default_qconfig("fbgemm")
    prepared = stubs.prepare(stubs.fuse_modules(model, [["1", "2"]]))
    prepared(x)
    report = count(stubs.convert(prepared), x)
    assert report.complete
    assert report.macs == 4 * 27 * 16


@pytest.mark.parametrize("policy", ["dense", "valid"])
def test_dynamic_convolutions(policy: str) -> None:
    x, layer = torch.rand(1, 3, 6, 6), torch.ao.nn.quantized.dynamic.Conv2d(3, 4, 3, padding=1)
    expected = count(nn.Conv2d(3, 4, 3, padding=1), x, policy=policy).cost
    spent = formula.dynamic_quantization(108) + formula.RESCALE * 144
    assert count(layer, x, policy=policy).cost == expected + spent


def test_per_channel_scales_are_stored() -> None:
    x = torch.rand(2, 6)
    whole = count(quantize(nn.Sequential(nn.Linear(6, 5)), x), x).modules[0][2]
    # A byte for each weight; for each of 5 rows a scale, a zero point and a bias.
    assert whole.param_bytes == 30 + 5 * (8 + 8 + 4)
    assert dict(whole.dtypes) == {"qint8": 30, "float64": 5, "int64": 5, "float32": 5}
    assert whole.params == 35


OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "mul": lambda q: torch.ops.quantized.mul(q, q, 0.1, 0),
    "add a number": lambda q: torch.ops.quantized.add(q, 2.0),
    "mul_relu": lambda q: torch.ops.quantized.mul_relu(q, q, 0.1, 0),
    "cat": lambda q: torch.ops.quantized.cat([q, q], 1, 0.1, 0),
    "leaky_relu": lambda q: torch.ops.quantized.leaky_relu(q, 0.1, False, 0.1, 0),
    "elu": lambda q: torch.ops.quantized.elu(q, 0.1, 0),
    "celu": lambda q: torch.ops.quantized.celu(q, 0.1, 0),
    "hardswish": lambda q: torch.ops.quantized.hardswish(q, 0.1, 0),
    "relu6": lambda q: torch.ops.quantized.relu6(q),
    "clamp": lambda q: torch.ops.quantized.clamp(q, 0, 1),
    "threshold": lambda q: torch.ops.quantized.threshold(q, 0.1, 0.0),
    "softmax": lambda q: torch.ops.quantized.softmax(q, 1, 0.1, 0),
    "layer_norm": lambda q: torch.ops.quantized.layer_norm(q, [6], None, None, 1e-5, 0.1, 0),
    "group_norm": lambda q: torch.ops.quantized.group_norm(q, 2, None, None, 1e-5, 0.1, 0),
    "instance_norm": lambda q: torch.ops.quantized.instance_norm(q, None, None, 1e-5, 0.1, 0),
    "matmul": lambda q: torch.ops.quantized.matmul(q, q.transpose(-1, -2), 0.1, 0),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_beside_layers_are_known(name: str) -> None:
    q = torch.quantize_per_tensor(torch.rand(2, 4, 5, 6), 0.1, 0, torch.quint8)
    report = count(OPERATORS[name], q)
    assert report.complete
    assert report.flops > 0
