"""Counters read together: what they say of a stretch of time, and when they are not believed."""

import pytest

from inspect_cost.measuring.protocol.meter import Consumption, Meter
from tests.measuring.simulated import Counter, Machine

PERIOD_S = Counter.period_s


def counters(*domains: str, range_j: float | None = None) -> list[Counter]:
    return [Counter(Machine(), domain, range_j) for domain in domains]


def test_nothing_is_read_without_counters() -> None:
    meter = Meter([])
    assert not meter.works
    assert meter.read() is None
    assert meter.shortest_window_s == 0


@pytest.mark.parametrize(
    ("before_j", "after_j", "found"),
    [
        (10.0, 30.0, Consumption({"package-0": 20.0})),
        (90.0, 10.0, Consumption({"package-0": 20.0}, ("package-0",))),
        (75.0, 25.0, Consumption({"package-0": 50.0}, ("package-0",))),  # half of the range
        (10.0, 10.0, Consumption({"package-0": 0.0})),
    ],
)
def test_between_two_readings(before_j: float, after_j: float, found: Consumption) -> None:
    meter = Meter(counters("package-0", range_j=100.0))
    readings = {"package-0": before_j}, {"package-0": after_j}
    assert meter.compute_consumption(*readings, PERIOD_S) == found
    assert meter.works


def test_more_than_half_of_the_range_was_backwards() -> None:
    meter = Meter(counters("package-0", range_j=100.0))
    assert meter.compute_consumption({"package-0": 60.0}, {"package-0": 20.0}, 1.0) is None
    assert meter.reason == "simulated (package-0): its counter went backwards, by 40 J"
    assert meter.read() is None


def test_four_periods_without_a_move_are_a_stall_and_less_is_not() -> None:
    meter = Meter(counters("package-0"))
    still = {"package-0": 5.0}
    assert meter.compute_consumption(still, still, 3.9 * PERIOD_S) == Consumption(
        {"package-0": 0.0}
    )
    assert meter.compute_consumption(still, still, 4 * PERIOD_S) is None
    assert meter.reason == "simulated (package-0): its counter did not move in 0.004 s"


def test_memory_that_counts_nothing_is_left_out_beside_others_only() -> None:
    meter = Meter(counters("package-0", "dram-0"))
    after = {"package-0": 7.0, "dram-0": 5.0}
    found = meter.compute_consumption({"package-0": 5.0, "dram-0": 5.0}, after, 1.0)
    assert found == Consumption({"package-0": 2.0})
    assert [sensor.domain for sensor in meter.sensors] == ["package-0"]
    assert meter.notes == ["simulated (dram-0): its counter did not move in 1 s, and is left out."]

    alone = Meter(counters("dram-0"))
    assert alone.compute_consumption({"dram-0": 5.0}, {"dram-0": 5.0}, 1.0) is None
    assert alone.reason
    assert not alone.notes


def test_a_package_that_counts_nothing_ends_the_energy_of_all() -> None:
    meter = Meter(counters("package-0", "package-1"))
    after = {"package-0": 7.0, "package-1": 5.0}
    assert meter.compute_consumption({"package-0": 5.0, "package-1": 5.0}, after, 1.0) is None
    assert "package-1" in meter.reason


def test_what_sensors_know_is_asked_until_one_fails() -> None:
    sensors = counters("package-0", "package-1")
    meter = Meter(sensors)
    sensors[1].spoiled = "throttled"
    assert meter.read_disturbances() == ["throttled"]
    assert meter.read_disturbances() == []
    sensors[0].failure, sensors[1].spoiled = "gone", "throttled"
    assert meter.read() is None
    assert meter.read_disturbances() == []
