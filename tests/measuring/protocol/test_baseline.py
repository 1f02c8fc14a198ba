"""A step of the idle power is told from noise, from drift, and from too little to tell."""

import pytest

from inspect_cost.measuring.protocol.baseline import describe_idle_step
from inspect_cost.measuring.protocol.window import Window


def windows(*levels: float) -> list[Window]:
    """Each with the idle power of two levels: before it and after it."""
    sides = zip(levels[::2], levels[1::2], strict=True)
    return [Window(1.0, 1, (1.0,), None, {"p": a}, {"p": b}) for a, b in sides]


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([10.0] * 8 + [20.0] * 8, "from 10 W to 20 W after window 4"),
        ([10.0] * 5 + [20.0] * 5, "from 10 W to 20 W in window 3"),
        ([20.0] * 7 + [10.0], "from 20 W to 10 W in window 4"),
        ([10.0] * 4 + [10.5] * 4, "from 10 W to 10.5 W"),
    ],
)
def test_a_step_without_noise(levels: list[float], words: str) -> None:
    assert words in (describe_idle_step(windows(*levels)) or "")


@pytest.mark.parametrize(
    "levels",
    [
        [10.0] * 20,
        [10.0] * 3 + [20.0] * 3,  # too few to tell
        [10.0] * 4 + [10.49] * 4,  # less than a twentieth
        [],
    ],
)
def test_no_step(levels: list[float]) -> None:
    assert describe_idle_step(windows(*levels)) is None


# The pooled variance of four and four levels that are 1 W off is 8 / 6 W^2, and the standard error
# of the difference of their means sqrt(8 / 6 * (1 / 4 + 1 / 4)) = 0.816 W: seven of it are 5.715 W.
@pytest.mark.parametrize(("step_w", "named"), [(5.8, True), (5.6, False)])
def test_seven_standard_errors_are_a_step(step_w: float, named: bool) -> None:
    noise = [-1.0, 1.0, -1.0, 1.0]
    levels = [10 + n for n in noise] + [10 + step_w + n for n in noise]
    assert (describe_idle_step(windows(*levels)) is not None) is named


# Of two and ten levels, 1 W off: sqrt(12 / 10 * (1 / 2 + 1 / 10)) = 0.849 W, and 5.940 W.
@pytest.mark.parametrize(("step_w", "named"), [(6.0, True), (5.9, False)])
def test_fewer_levels_on_one_side_weigh_less(step_w: float, named: bool) -> None:
    levels = [9.0, 11.0] + [10 + step_w + n for n in [-1.0, 1.0] * 5]
    assert (describe_idle_step(windows(*levels)) is not None) is named


def test_windows_without_idle_time_tell_nothing() -> None:
    assert describe_idle_step([Window(1.0, 1, (1.0,))] * 10) is None
