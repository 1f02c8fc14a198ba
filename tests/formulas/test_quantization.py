"""Quantisation, and products with quantised operands."""

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from inspect_cost import OpCost, count
from inspect_cost.formulas import quantization as formula
from inspect_cost.formulas.contraction import bias, matmul
from inspect_cost.formulas.recurrent import gru_step, lstm_step
from tests.formulas.naive.pointwise import clamp, elementwise
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, prove
from tests.formulas.scalars import Real, maximum, minimum, special

# torch announces the end of its own quantisation, in favour of torchao's
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*quantiz:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*quantize:UserWarning"),
]

S, Z = 0.1, 3


def to_integer(r: Real) -> Real:
    return clamp(special(round, r / S) + Z, -128, 127)


def from_integer(q: Real) -> Real:
    return S * (q - Z)


@EXACT
@given(m=SIZE, n=SIZE)
def test_quantising_and_the_reverse(m: int, n: int) -> None:
    (x,) = draw_normal((m, n))
    x = x.float()
    prove(
        lambda x: torch.fake_quantize_per_tensor_affine(x, S, Z, -128, 127),
        elementwise(lambda r: from_integer(to_integer(r))),
        x,
        formula=formula.FAKE_QUANTIZE * (m * n),
    )
    there = count_cost(lambda x: torch.quantize_per_tensor(x, S, Z, torch.qint8).int_repr(), x)
    assert there == formula.QUANTIZE * (m * n)
    both = count_cost(lambda x: torch.quantize_per_tensor(x, S, Z, torch.qint8).dequantize(), x)
    assert both == (formula.QUANTIZE + formula.DEQUANTIZE) * (m * n)


@EXACT
@given(m=SIZE, n=SIZE)
def test_weights_of_few_bits_have_a_scale_and_an_offset(m: int, n: int) -> None:
    (x,) = draw_normal((m, n))
    prove(
        lambda q: q * S + Z,
        elementwise(lambda q: q * S + Z),
        x.round(),
        formula=formula.SCALE_AND_ZERO * (m * n),
    )


@EXACT
@given(m=SIZE, n=SIZE)
def test_requantising_multiplies_sums_by_one_scale(m: int, n: int) -> None:
    (x,) = draw_normal((m, n))
    sums = (1000 * x).round()
    prove(
        lambda sums: (sums * S).round().add(Z).clamp(-128, 127),
        elementwise(lambda r: clamp(special(round, r * S) + Z, -128, 127)),
        sums,
        formula=formula.REQUANTIZE * (m * n),
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_range_is_two_searches_and_includes_0(n: int) -> None:
    x = torch.linspace(-1, 1, n)
    prove(
        lambda x: torch.stack([x.amin(), x.amax()]),
        _extremes,
        x,
        formula=formula.range_of(n),
    )
    assert formula.choose_scale(n) == formula.range_of(n) + OpCost(compare=2)
    expected = formula.choose_scale(n) + formula.QUANTIZE * n
    assert formula.dynamic_quantization(n) == expected


def _extremes(x: np.ndarray) -> np.ndarray:
    low = high = x[0]
    for number in x[1:]:
        low, high = minimum(low, number), maximum(high, number)
    return np.array([low, high], dtype=object)


@EXACT
@given(m=SIZE, k=SIZE, n=SIZE)
def test_products_of_integers(m: int, k: int, n: int) -> None:
    a = torch.ones(16 * m, 8 * k, dtype=torch.int8)
    b = torch.ones(8 * k, 8 * n, dtype=torch.int8)
    assert count_cost(torch._int_mm, a, b) == matmul(16 * m, 8 * k, 8 * n)  # noqa: SLF001


def test_weights_of_eight_bits_scale_their_sums() -> None:
    x, W = torch.ones(4, 32, dtype=torch.bfloat16), torch.ones(16, 32, dtype=torch.int8)
    call = torch._weight_int8pack_mm  # noqa: SLF001 - as torchao calls it
    scales = torch.ones(16, dtype=torch.bfloat16)
    assert count_cost(call, x, W, scales) == matmul(4, 32, 16) + formula.RESCALE * (4 * 16)


def test_weights_of_four_bits_are_unpacked() -> None:
    x, W = torch.ones(4, 64, dtype=torch.bfloat16), torch.ones(32, 64, dtype=torch.int32)
    scales = torch.ones(2, 32, 2, dtype=torch.bfloat16)

    def call(x: Tensor, W: Tensor, scales: Tensor) -> Tensor:
        packed = torch._convert_weight_to_int4pack_for_cpu(W, 1)  # noqa: SLF001 - as torchao does
        return torch._weight_int4pack_mm_for_cpu(x, packed, 32, scales)  # noqa: SLF001

    assert count_cost(call, x, W, scales) == matmul(4, 64, 32) + formula.SCALE_AND_ZERO * (64 * 32)


def test_groups_of_rows_meet_a_matrix_each() -> None:
    """Which rows go to which expert does not change the number of products."""
    x, W = torch.ones(6, 8), torch.ones(3, 8, 16)
    ends = torch.tensor([1, 4, 6], dtype=torch.int32)
    fours = torch.tensor([4, 8, 12], dtype=torch.int32)
    call = torch._grouped_mm  # noqa: SLF001 - as transformers calls it
    assert count_cost(call, x, W, ends) == matmul(6, 8, 16)
    assert count_cost(call, W, torch.ones(3, 16, 8)) == matmul(8, 16, 8, batch=3)
    assert count_cost(call, torch.ones(3, 4, 8), torch.ones(8, 12), fours) == matmul(4, 8, 12)
    assert count_cost(call, torch.ones(4, 12), torch.ones(12, 8), fours) == matmul(4, 12, 8)


def quantize(model: nn.Module, kind: type[nn.Module]) -> nn.Module:
    made: nn.Module = torch.ao.quantization.quantize_dynamic(model.eval(), {kind})
    return made


@pytest.mark.parametrize("biased", [False, True])
def test_a_dynamically_quantised_linear_layer(biased: bool) -> None:
    model = quantize(nn.Sequential(nn.Linear(8, 4, bias=biased)), nn.Linear)
    report = count(model, torch.ones(3, 8))
    expected = formula.dynamic_quantization(24) + matmul(3, 8, 4) + formula.RESCALE * 12
    assert report.complete
    assert report.cost == (expected + bias(12) if biased else expected)
    assert report.params == 32 + 4 * biased
    assert report.param_bytes == 32 + 4 * 4 * biased


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_dynamically_quantised_recurrent_layers(kind: type[nn.Module]) -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.layers = kind(8, 5, 2, bidirectional=True)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layers(self.first(x))[0]
            return out

    model, x = Layers().eval(), torch.ones(6, 3, 8)
    plain, report = count(model, x), count(quantize(model, kind), x)
    assert report.complete
    assert (report.params, report.macs) == (plain.params, plain.macs)
    gates, step = (4, lstm_step) if kind is nn.LSTM else (3, gru_step)
    steps = [
        step(5, inputs)
        + formula.dynamic_quantization(inputs)
        + formula.dynamic_quantization(5)
        + formula.RESCALE * (2 * gates * 5)
        for inputs in (8, 10)
    ]
    assert report.by_module["layers"].cost == (steps[0] + steps[1]) * (6 * 3 * 2)
