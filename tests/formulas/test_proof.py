"""Tests of the counted numbers and of the proof: they count, and they can fail."""

import pytest
import torch

from inspect_cost.values.cost import OpCost
from tests.formulas.proof import draw_normal, prove
from tests.formulas.scalars import Complex, Real, Tape, mac, maximum, sqrt


def test_each_operation_is_entered_once() -> None:
    tape = Tape()
    x, y = Real(3.0, tape), Real(4.0, tape)
    z = sqrt(x * x + y * y)
    assert z.value == 5
    assert tape.cost == OpCost(mul=2, add=1, sqrt=1)
    assert mac(z, x, 2.0).value == 11
    assert maximum(1 - z, -z / 2).value == -2.5
    assert tape.cost == OpCost(macs=1, mul=2, add=3, sqrt=1, div=1, compare=1)


def test_a_complex_mac_is_four_real_ones() -> None:
    tape = Tape()
    z, w = (Complex(Real(re, tape), Real(im, tape)) for re, im in ((1, 2), (3, 4)))
    total = mac(0.0, z, w)
    assert complex(total.re.value, total.im.value) == (1 + 2j) * (3 + 4j)
    assert tape.cost == OpCost(macs=4)


def test_a_wrong_formula_is_refused() -> None:
    x, y = draw_normal((3,), (3,))
    with pytest.raises(AssertionError, match="mul"):
        prove(torch.add, lambda x, y: x + y, x, y, formula=OpCost(mul=3))


def test_a_wrong_rule_is_refused() -> None:
    x, y = draw_normal((3,), (3,))
    with pytest.raises(AssertionError, match="mul: 0 != 3"):
        prove(torch.add, lambda x, y: x + 1.0 * y, x, y)


def test_a_wrong_result_is_refused() -> None:
    x, y = draw_normal((3,), (3,))
    with pytest.raises(AssertionError, match="not close"):
        prove(torch.add, lambda x, y: x - y, x, y, formula=OpCost(add=3))
