"""Counters read together: what they say of a stretch of time, and when they are not believed."""

import pytest

from inspect_cost.measuring.protocol.meter import Meter
from tests.measuring.simulated import Counter, Machine


def meter_of(*domains: str) -> tuple[Machine, list[Counter], Meter]:
    """A machine, its counters, and what reads them."""
    machine = Machine()
    counters = [Counter(machine, domain) for domain in domains]
    return machine, counters, Meter(counters, machine.clock)


def consumed(machine: Machine, meter: Meter, duration_s: float) -> dict[str, float] | None:
    """What a stretch at 10 W consumed by domain."""
    before = meter.read()
    machine.sleep(duration_s)
    found = meter.compute_consumption(before, meter.read())
    return None if found is None else dict(found.energy_j)


def test_nothing_is_read_without_counters() -> None:
    meter = Meter([])
    assert not meter.works
    assert meter.read() is None
    assert meter.shortest_window_s == 0


def test_between_two_readings() -> None:
    machine, _, meter = meter_of("package-0", "dram-0")
    assert consumed(machine, meter, 2.0) == pytest.approx({"package-0": 20.0, "dram-0": 20.0})
    assert meter.collect_faults() == []


@pytest.mark.parametrize(
    ("names", "told_apart"),
    [
        (["package-0", "package-0"], ["package-0", "package-0 (2)"]),
        (["gpu-0", "gpu-0", "gpu-0"], ["gpu-0", "gpu-0 (2)", "gpu-0 (3)"]),
        (["a", "a (2)", "a"], ["a", "a (2)", "a (3)"]),
    ],
)
def test_sensors_of_one_name_are_told_apart(names: list[str], told_apart: list[str]) -> None:
    machine, _, meter = meter_of(*names)
    found = consumed(machine, meter, 1.0)
    assert found == pytest.approx(dict.fromkeys(told_apart, 10.0))


def test_a_sensor_given_twice_is_read_once() -> None:
    machine = Machine()
    counter = Counter(machine)
    meter = Meter([counter, counter], machine.clock)
    assert consumed(machine, meter, 1.0) == pytest.approx({"package-0": 10.0})


def test_four_periods_without_a_move_are_a_stall_and_less_is_not() -> None:
    machine, (counter,), meter = meter_of("package-0")
    counter.stall()
    assert consumed(machine, meter, 3.9 * counter.period_s) == {"package-0": 0.0}
    assert consumed(machine, meter, 4.1 * counter.period_s) is None
    assert meter.reason == "simulated (package-0): its counter did not move in 0.0041 s"


def test_memory_that_counts_nothing_is_left_out_beside_others_only() -> None:
    machine, counters, meter = meter_of("package-0", "dram-0")
    counters[1].stall()
    assert consumed(machine, meter, 1.0) == pytest.approx({"package-0": 10.0})
    assert [sensor.domain for sensor in meter.sensors] == ["package-0"]
    assert meter.notes == ["simulated (dram-0): its counter did not move in 1 s, and is left out."]

    machine, (memory,), alone = meter_of("dram-0")
    memory.stall()
    assert consumed(machine, alone, 1.0) is None
    assert alone.reason
    assert not alone.notes


def test_a_package_that_counts_nothing_ends_the_energy_of_all() -> None:
    machine, counters, meter = meter_of("package-0", "package-1")
    counters[1].stall()
    assert consumed(machine, meter, 1.0) is None
    assert "package-1" in meter.reason


def test_one_failed_reading_costs_a_stretch_and_three_in_a_row_cost_all() -> None:
    machine, counters, meter = meter_of("package-0", "package-1")
    counters[1].failure = "Unknown Error"
    before = meter.read()
    counters[1].failure = ""
    machine.sleep(1.0)
    assert meter.compute_consumption(before, meter.read()) is None
    assert meter.collect_faults() == ["simulated: Unknown Error"]
    assert consumed(machine, meter, 1.0) == pytest.approx({"package-0": 10.0, "package-1": 10.0})
    counters[1].failure = "gone"
    for works in (True, True, False):
        meter.read()
        assert meter.works is works
    assert meter.reason == "simulated: gone"
    assert meter.read() is None


def test_what_sensors_know_is_asked_and_their_exceptions_are_theirs() -> None:
    machine, sensors, meter = meter_of("package-0", "package-1")
    sensors[1].spoiled = "throttled"
    assert meter.read_disturbances() == ["throttled"]
    assert meter.read_disturbances() == []

    def fail() -> str:
        raise KeyError("clock")

    sensors[0].disturbance = fail  # type: ignore[method-assign]
    assert "KeyError" in meter.read_disturbances()[0]
    assert consumed(machine, meter, 1.0)
