"""A counter followed from reading to reading: its total is right, or known not to be."""

import random
import time
from dataclasses import dataclass

import pytest

import inspect_cost
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.counter import MAX_POWER_W, SLACK_S, TrackedCounter
from inspect_cost.measuring.sensors.protocol import SensorError
from inspect_cost.values.notes import codes

INTEL_J, AMD_J, DRAM_J, SMALL_J = 262_143.32885, 65_532.610987, 65_712.999613, 1000.0
RANGES_J = (INTEL_J, AMD_J, DRAM_J, SMALL_J)


class Domain:
    """A domain that draws a power, and its counter, in virtual time."""

    domain, source, device = "package-0", "simulated", "cpu"
    period_s, recommended_window_s = 0.001, 1.0

    def __init__(self, range_j: float | None, start_j: float, power_w: float) -> None:
        self.range_j, self.shown_j, self.power_w = range_j, start_j, power_w
        self.time_s = self.consumed_j = 0.0
        self.counter = TrackedCounter(self, "package-0", Clock(lambda: self.time_s, self.run))

    def run(self, duration_s: float) -> None:
        """Let time pass."""
        self.time_s += duration_s
        self.consumed_j += duration_s * self.power_w
        self.shown_j += duration_s * self.power_w

    def read_j(self) -> float:
        """The counter now."""
        return self.shown_j if self.range_j is None else self.shown_j % self.range_j

    def disturbance(self) -> str | None:
        """Nothing."""


@pytest.mark.parametrize("range_j", RANGES_J)
@pytest.mark.parametrize("power_w", [0.5, 40.0, 280.0, 400.0, 1000.0, 1900.0])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.999])
def test_any_number_of_wraps_counts(range_j: float, power_w: float, phase: float) -> None:
    domain = Domain(range_j, phase * range_j, power_w)
    first = domain.counter.read()
    gap_s = domain.counter.longest_gap_s
    assert gap_s is not None
    assert gap_s <= range_j / (2 * MAX_POWER_W)
    for _ in range(97):
        domain.run(gap_s)
        last = domain.counter.read()
    assert last.total_j - first.total_j == pytest.approx(domain.consumed_j)
    assert last.wraps == int((phase * range_j + domain.consumed_j) / range_j + 1e-9)
    assert last.breaks == 0


@pytest.mark.parametrize("seed", range(300))
def test_the_total_is_right_or_known_not_to_be(seed: int) -> None:
    """Readings at random moments, hours apart too, of a domain whose power changes."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    range_j = draw.choice(RANGES_J)
    domain = Domain(range_j, draw.random() * range_j, 0.0)
    before, consumed_j = domain.counter.read(), 0.0
    for _ in range(50):
        domain.power_w = draw.random() * MAX_POWER_W
        domain.run(10 ** draw.uniform(-4, 4))
        after = domain.counter.read()
        if after.breaks == before.breaks:
            piece_j = domain.consumed_j - consumed_j
            assert after.total_j - before.total_j == pytest.approx(piece_j, abs=1e-4)
        before, consumed_j = after, domain.consumed_j


@pytest.mark.parametrize("range_j", [*RANGES_J, None])
@pytest.mark.parametrize("power_w", [1.0, 60.0, 400.0, 1900.0])
def test_short_stretches_are_never_refused(range_j: float | None, power_w: float) -> None:
    for phase in range(10):
        domain = Domain(range_j, phase / 10 * (range_j or 1e6), power_w)
        before = domain.counter.read()
        domain.run((range_j or INTEL_J) / MAX_POWER_W * 0.99)
        after = domain.counter.read()
        assert after.breaks == 0
        assert after.total_j - before.total_j == pytest.approx(domain.consumed_j)


@pytest.mark.parametrize("range_j", [INTEL_J, AMD_J, None])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.6, 0.9])
@pytest.mark.parametrize("duration_s", [0.25, 1.0, 3.0])
def test_a_fall_to_0_is_no_wrap(range_j: float | None, share: float, duration_s: float) -> None:
    """The counter could not reach its range in that time, wherever in the range it was."""
    start_j = share * (range_j or INTEL_J)
    domain = Domain(range_j, start_j, 40.0)
    before = domain.counter.read()
    domain.run(duration_s / 2)
    domain.shown_j = 0.0
    domain.run(duration_s / 2)
    after = domain.counter.read()
    assert after.breaks == before.breaks + 1
    assert after.wraps == before.wraps
    assert "went backwards" in domain.counter.fault
    domain.run(1.0)
    last = domain.counter.read()
    assert last.breaks == after.breaks
    assert last.total_j - after.total_j == pytest.approx(40.0)


@pytest.mark.parametrize(("short_j", "wraps"), [(0.99, 1), (1.01, 0)])
def test_a_fall_is_a_wrap_if_the_range_could_be_reached(short_j: float, wraps: int) -> None:
    reach_j = MAX_POWER_W * (2.0 + SLACK_S)
    domain = Domain(INTEL_J, INTEL_J - short_j * reach_j, 0.0)
    domain.counter.read()
    domain.run(2.0)
    domain.shown_j = 0.0
    after = domain.counter.read()
    assert (after.wraps, after.breaks) == (wraps, 1 - wraps)


def test_a_step_that_nothing_draws_is_left_out() -> None:
    domain = Domain(None, 0.0, 50.0)
    domain.counter.read()
    domain.shown_j += 5000.0
    domain.run(1.0)
    assert domain.counter.read().breaks == 1
    domain.max_power_w = 10_000.0  # type: ignore[attr-defined] # a meter at the wall
    domain.shown_j += 5000.0
    domain.run(1.0)
    after = domain.counter.read()
    assert after.breaks == 1
    assert after.total_j == pytest.approx(5050.0)


def test_a_counter_beyond_its_range_does_not_wrap_there() -> None:
    domain = Domain(None, 70_000.0, 50.0)
    domain.range_j = AMD_J
    domain.read_j = lambda: domain.shown_j  # type: ignore[method-assign]
    domain.counter.read()
    domain.shown_j = 10.0
    domain.run(1.0)
    assert domain.counter.read().breaks == 1


@dataclass
class Wrapping:
    """A counter in real time that wraps after 0.4 s."""

    domain = "package-0"
    source = "simulated"
    device = "cpu"
    period_s = 0.001
    recommended_window_s = 0.2
    max_power_w = 100.0
    range_j: float | None = 20.0
    power_w: float = 50.0

    def read_j(self) -> float:
        """The counter now."""
        return self.power_w * time.monotonic() % (self.range_j or 1e9)

    def disturbance(self) -> str | None:
        """Nothing."""


@pytest.mark.alone
def test_a_block_of_several_wraps_is_read_in_the_background() -> None:
    for _ in range(10):  # on a busy machine, the background may come too late, and says so
        with inspect_cost.measure_block(sensors=[Wrapping()]) as block:
            time.sleep(1.5)
        if block.energy_j is None:
            assert "its counter was not read for" in " ".join(block.notes)
            continue
        assert block.energy_j.value == pytest.approx(50 * block.latency_s.value, rel=0.01)
        assert "disturbed" in codes(block.notes)
        assert "the counter of package-0 wrapped" in block.windows[0].disturbances
        return
    pytest.fail("the background never came in time")


def test_without_the_background_nothing_is_guessed() -> None:
    domain = Domain(AMD_J, 0.0, 400.0)
    domain.counter.read()
    domain.run(600.0)
    assert domain.counter.read().breaks == 1
    assert "how often it wrapped is not known" in domain.counter.fault


@pytest.mark.parametrize("wrong", [None, "many", float("inf"), float("nan")])
def test_what_is_no_number_is_a_failed_reading(wrong: object) -> None:
    domain = Domain(None, 0.0, 1.0)
    domain.read_j = lambda: wrong  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(SensorError, match="simulated"):
        domain.counter.read()
