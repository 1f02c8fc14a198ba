"""Cost laws are exact at lengths that were never counted, or no law is found."""

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, count
from inspect_cost.counting.polynomial import format_polynomial
from inspect_cost.counting.torch.law_search import cost_law
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import codes


class Attending(nn.Module):
    """Self-attention over L positions: quadratic in L."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        return self.attention(x, x, x)[0]


class Clockwork(nn.Module):
    """Makes one sample after another; every fourth costs more, and the first needs a start."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.fast, self.slow = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor, length: int) -> Tensor:
        x = self.start(x)
        for t in range(length):
            x = self.slow(self.fast(x)) if t % 4 == 0 else self.fast(x)
        return x


def test_a_quadratic_law() -> None:
    model = Attending()
    law = cost_law(model, lambda n: {"x": torch.empty(1, n, 8, device="meta")})
    assert law.degree == 2
    assert list(law.macs) == [0, 4 * 8 * 8, 2 * 8]
    direct = count(model, torch.empty(1, 1000, 8, device="meta"))
    by_law = law.report(1000)
    assert by_law.cost == direct.cost
    assert by_law.bytes_moved == direct.bytes_moved
    assert dict(by_law.by_module) == dict(direct.by_module)


def test_a_periodic_law_holds_along_its_period() -> None:
    model, x = Clockwork(), torch.zeros(1, 3)
    law = cost_law(model, lambda n: {"x": x, "length": n}, period=4)
    assert list(law.macs) == [9, Fraction(9 * 5, 4)]
    assert law.report(400).cost == count(model, x, 400).cost
    assert law.report(4 * 10**9).macs == 9 + 45 * 10**9
    assert law.counted_at == (4, 8, 12, 28, 156)
    assert codes(law.report(400).notes) == ("train-mode", "by-law")
    with pytest.raises(UsageError, match="not for 401"):
        law.report(401)


def test_without_the_right_period_there_is_no_law() -> None:
    x = torch.zeros(1, 3)
    with pytest.raises(CountError, match="no polynomial"):
        cost_law(Clockwork(), lambda n: {"x": x, "length": n}, period=1)


class Strided(nn.Module):
    """Frames of a waveform, a step for 10 samples; the first layer refuses fewer than 10."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 4, 10, stride=5)
        self.second = nn.Conv1d(4, 4, 3, stride=2)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        frames = self.second(self.first(x)).transpose(1, 2)
        return self.attention(frames, frames, frames)[0]


def waveform(length: int) -> Tensor:
    return torch.empty(1, 1, length, device="meta")


@pytest.mark.parametrize("length", [16_000, 16_003])
def test_the_period_is_found_for_the_length_in_question(length: int) -> None:
    model = Strided()
    law = cost_law(model, waveform, at=length)
    assert law.period == 10
    assert (length - law.start) % 10 == 0
    assert law.degree == 2
    assert law.report(length).cost == count(model, waveform(length)).cost


def test_arguments_may_be_a_tensor_a_tuple_or_named() -> None:
    linear = nn.Linear(3, 5)
    for make in (
        lambda n: torch.empty(n, 3),
        lambda n: (torch.empty(n, 3),),
        lambda n: {"input": torch.empty(n, 3)},
    ):
        assert list(cost_law(linear, make).macs) == [0, 15]


def test_a_law_in_words() -> None:
    law = cost_law(nn.Linear(3, 5), lambda n: torch.empty(n, 3))
    assert str(law) == "MACs(L) = 15 L for L >= 1"
    assert repr(law) == "<CostLaw Linear: MACs(L) = 15 L for L >= 1>"
    assert law.to_dict()["macs"] == ["0", "15"]
    assert law.to_dict()["flops"] == ["0", "35"]
    clock = cost_law(Clockwork(), lambda n: {"x": torch.zeros(1, 3), "length": n}, period=4)
    assert str(clock) == "MACs(L) = 45/4 L + 9 for L = 4, 8, 12, ..."


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((), "0"),
        ((0, 1), "L"),
        ((-7,), "-7"),
        ((1_000, -1, Fraction(1, 2)), "1/2 L^2 - L + 1,000"),
        ((0, 0, 0, -2_000), "-2,000 L^3"),
    ],
)
def test_polynomials_as_people_write_them(values: tuple[int, ...], text: str) -> None:
    assert format_polynomial([Fraction(value) for value in values]) == text


def test_a_model_that_takes_no_length_says_its_own_error() -> None:
    with pytest.raises(CountError, match="shapes cannot be multiplied"):
        cost_law(nn.Linear(3, 5), lambda n: torch.empty(n, 4), at=100)


def test_options_of_the_count_hold_for_its_law() -> None:
    layer = nn.Conv1d(1, 1, 3, padding=1)
    assert list(cost_law(layer, waveform, policy="valid").macs) == [-2, 3]


def test_a_long_stride_is_not_taken_for_a_constant() -> None:
    """In steps of single samples, nothing changes for a while."""
    layer = nn.Conv1d(1, 4, 400, stride=320)
    law = cost_law(layer, waveform, at=16_000)
    assert law.period == 320
    assert law.report(16_000).cost == count(layer, waveform(16_000)).cost
    assert list(law.macs) == [-1600, 5]
