"""Layers of bitsandbytes have the MACs and parameters of the layers that they were made of.

Where it is not installed, operators of its names and schemas stand for its own.
"""

import importlib
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import OpCost, count
from inspect_cost.formulas.quantization import dynamic_quantization

INPUTS, OUTPUTS, BLOCK = 64, 32, 64

GEMM = (
    "gemm_4bit(Tensor A, Tensor B, int[] shapeB, Tensor absmax, int blocksize, str quant_type, "
    "Tensor? bias=None, Tensor? absmax_8bit=None, Tensor? absmax_code=None, "
    "Tensor? absmax_offset=None) -> Tensor"
)
QUANTIZE = "int8_vectorwise_quant(Tensor A, float threshold=0.0) -> (Tensor, Tensor, Tensor?)"
SCALED = (
    "int8_scaled_mm(Tensor A, Tensor B, Tensor row_stats, Tensor col_stats, "
    "Tensor? bias=None, ScalarType? dtype=None) -> Tensor"
)


@pytest.fixture(scope="module", autouse=True)
def _operators() -> Any:
    """Define what is missing, with results of zeros."""
    with suppress(ImportError):
        importlib.import_module("bitsandbytes")
    library = torch.library.Library("bitsandbytes", "FRAGMENT")
    implemented = {
        GEMM: lambda A, _B, shape, *_, **__: A.new_zeros((*A.shape[:-1], shape[0])),
        QUANTIZE: lambda A, _=0.0: (A.to(torch.int8), A.new_zeros(A.shape[:-1]).float(), None),
        SCALED: lambda A, B, *_, **__: torch.zeros(len(A), len(B), device=A.device),
    }
    for schema, function in implemented.items():
        name = schema.partition("(")[0]
        if not hasattr(torch.ops.bitsandbytes, name):
            library.define(schema)
            library.impl(name, function, "CompositeExplicitAutograd")
    yield
    library._destroy()  # noqa: SLF001 - as torch's own tests do


class Packed(nn.Parameter):
    """A parameter of two numbers in a byte, which says of how many it was made."""

    quant_state: Any


class FourBit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        packed = torch.zeros(INPUTS * OUTPUTS // 2, 1, dtype=torch.uint8)
        self.weight = Packed(packed, requires_grad=False)
        self.weight.quant_state = SimpleNamespace(
            shape=torch.Size([OUTPUTS, INPUTS]),
            absmax=torch.zeros(INPUTS * OUTPUTS // BLOCK),
            code=torch.zeros(16),
        )
        self.bias = nn.Parameter(torch.zeros(OUTPUTS))

    def forward(self, x: Tensor) -> Any:
        state = self.weight.quant_state
        operands = (x, self.weight.t(), state.shape, state.absmax, BLOCK, "nf4")
        return torch.ops.bitsandbytes.gemm_4bit(*operands, bias=self.bias)


def test_four_bits_are_half_bytes() -> None:
    report = count(FourBit().eval(), torch.zeros(4, INPUTS))
    storage, weights = report.modules[0][2], INPUTS * OUTPUTS
    assert report.complete
    assert not report.notes
    assert not report.unread
    assert report.cost == OpCost(macs=4 * weights, mul=weights, add=4 * OUTPUTS)
    assert storage.params == weights + OUTPUTS
    assert storage.param_bytes == weights // 2 + 4 * (weights // BLOCK + 16 + OUTPUTS)


class EightBit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.zeros(OUTPUTS, INPUTS, dtype=torch.int8), requires_grad=False
        )
        self.register_buffer("scales", torch.zeros(OUTPUTS))

    def forward(self, x: Tensor) -> Any:
        operators = torch.ops.bitsandbytes
        integers, scales, _ = operators.int8_vectorwise_quant(x)
        return operators.int8_scaled_mm(integers, self.weight, scales, self.scales)


def test_eight_bits() -> None:
    report = count(EightBit().eval(), torch.zeros(4, INPUTS))
    assert report.complete
    scaled = OpCost(macs=4 * INPUTS * OUTPUTS, mul=2 * 4 * OUTPUTS)
    assert report.cost == scaled + dynamic_quantization(INPUTS) * 4


def test_attributes_of_parameters_are_copied() -> None:
    class Marked(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            marks: Any = self.weight
            marks.seen.append(1)
            return super().forward(x) * marks.factor

    layer = Marked(4, 4)
    marks: Any = layer.weight
    marks.seen, marks.factor = [], torch.ones(4)
    assert count(layer.eval(), torch.zeros(2, 4)).cost == OpCost(macs=32, add=8, mul=8)
    assert marks.seen == []


@pytest.mark.parametrize("kind", ["Linear8bitLt", "Linear4bit"])
def test_its_own_layers(kind: str) -> None:
    made = pytest.importorskip("bitsandbytes").nn
    options = {"has_fp16_weights": False} if kind == "Linear8bitLt" else {"quant_type": "nf4"}
    layer = getattr(made, kind)(INPUTS, OUTPUTS, **options).eval().to("cpu")
    x = torch.zeros(4, INPUTS)
    layer(x)
    report = count(nn.Sequential(layer), x)
    assert report.complete
    assert report.macs == 4 * INPUTS * OUTPUTS
    assert report.modules[0][2].params == INPUTS * OUTPUTS + OUTPUTS
    assert report.modules[0][2].param_bytes < 4 * INPUTS * OUTPUTS
