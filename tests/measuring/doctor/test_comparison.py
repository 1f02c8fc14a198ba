"""A GPU's counter beside its readings of power: differences above a twentieth are noted."""

import time
from collections.abc import Callable

import pytest

from inspect_cost.measuring.doctor.comparison import Sample, compare_opinions
from inspect_cost.measuring.doctor.doctor import diagnose
from inspect_cost.measuring.sensors.nvml import find_nvml_sensors
from tests.measuring.sensors.fake_nvml import FakeGpu, FakeNvml, LateCounter


def sampled(
    counter_w: Callable[[float], float], power_w: Callable[[float], float], period_s: float = 0.1
) -> list[Sample]:
    """Samples of 4 s, each 10 ms: a counter that advances each period, and a power."""
    moments = [n * 0.01 for n in range(400)]
    return [Sample(t, counter_w(t) * (t // period_s * period_s), power_w(t)) for t in moments]


@pytest.mark.parametrize("period_s", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("power_w", [12.0, 300.0])
@pytest.mark.parametrize(
    ("ratio", "noted"), [(1.0, False), (0.96, False), (1.04, False), (0.94, True), (0.57, True)]
)
def test_a_difference_of_a_twentieth_is_noted(
    period_s: float, power_w: float, ratio: float, noted: bool
) -> None:
    found = compare_opinions(sampled(lambda _: power_w * ratio, lambda _: power_w, period_s))
    assert found is not None
    assert found.difference == pytest.approx(ratio - 1, abs=0.008)
    assert (found.describe("idle") is not None) is noted


def test_readings_that_still_show_what_was_before_are_left_out() -> None:
    found = compare_opinions(sampled(lambda _: 300.0, lambda t: 70.0 if t < 0.9 else 300.0))
    assert found is not None
    assert found.describe("under load") is None


def test_a_counter_that_hardly_moves_is_not_compared() -> None:
    assert compare_opinions(sampled(lambda _: 300.0, lambda _: 300.0, period_s=1.5)) is None
    assert compare_opinions([]) is None


@pytest.mark.alone
@pytest.mark.parametrize(("ratio", "notes"), [(1.0, 0), (0.57, 2)])
def test_the_doctor_compares_when_idle_and_under_load(ratio: float, notes: int) -> None:
    began_s, steps_w = time.perf_counter(), [(0.0, 70.0)]

    def consumed_j(moment_s: float) -> float:
        ends = [*(start for start, _ in steps_w[1:]), moment_s]
        pairs = zip(steps_w, ends, strict=True)
        return sum(w * max(0.0, min(end, moment_s) - start) for (start, w), end in pairs)

    def now_s() -> float:
        return time.perf_counter() - began_s

    def load(_device: str, seconds: float) -> None:
        steps_w.append((now_s(), 300.0))
        time.sleep(seconds)
        steps_w.append((now_s(), 70.0))

    late = LateCounter(consumed_j, now_s, period_s=0.02)
    gpu = FakeGpu(
        "a",
        energy_mj=lambda: round(ratio * late.energy_mj()),
        power_mw=lambda: round(1000 * steps_w[-1][1]),
    )
    sensors = find_nvml_sensors(nvml=FakeNvml(gpu), uuids=lambda: ["a"])
    (found,) = diagnose(4.0, sensors=sensors, load=load).sensors
    assert found.fault == ""
    assert [("-43%" in note) for note in found.notes] == [True] * notes
    assert found.idle_w == pytest.approx(70 * ratio, rel=0.05)
    assert found.load_w == pytest.approx(300 * ratio, rel=0.05)
