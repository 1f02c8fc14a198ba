"""Cost laws are exact at lengths that were never counted, or there is none."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, count
from inspect_cost.counting.laws import cost_law
from inspect_cost.errors import UsageError


class Attending(nn.Module):
    """Self-attention over L positions: quadratic in L."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
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
    assert law.macs == (0, 4 * 8 * 8, 2 * 8)
    direct = count(model, torch.empty(1, 1000, 8, device="meta"))
    by_law = law.report(1000)
    assert by_law.cost == direct.cost
    assert by_law.bytes_moved == direct.bytes_moved
    assert dict(by_law.by_module) == dict(direct.by_module)


def test_a_periodic_law_holds_along_its_period() -> None:
    model, x = Clockwork(), torch.zeros(1, 3)
    law = cost_law(model, lambda n: {"x": x, "length": n}, period=4)
    assert law.macs == (9, Fraction(9 * 5, 4))
    assert law.report(400).cost == count(model, x, 400).cost
    assert law.report(4 * 10**9).macs == 9 + 45 * 10**9
    assert "verified at lengths 4, 8, 12, 28, 156" in law.report(400).notes[-1]
    with pytest.raises(UsageError, match="not for 401"):
        law.report(401)


def test_without_the_right_period_there_is_no_law() -> None:
    x = torch.zeros(1, 3)
    with pytest.raises(CountError, match="no polynomial"):
        cost_law(Clockwork(), lambda n: {"x": x, "length": n}, period=1)
