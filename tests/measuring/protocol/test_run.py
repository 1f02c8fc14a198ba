"""The protocol on a simulated machine: what it reports, refuses, redoes and says."""

import re
import time
from itertools import repeat

import pytest

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.clock import Clock
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import Plan, run_protocol
from inspect_cost.measuring.protocol.window import SHORTEST_SAMPLE_S, Bench, Work
from inspect_cost.measuring.sensors.protocol import SensorError
from tests.measuring.simulated import Counter, Machine, bench, codes, known, measured


def said(result: Measurement) -> str:
    return " ".join(result.notes)


def test_gross_net_power_and_latency_without_noise() -> None:
    machine = Machine(call_s=0.3)
    result = measured(machine, Counter(machine))
    assert known(result.energy_j).value == pytest.approx(9)
    assert known(result.energy_net_j).value == pytest.approx(6)
    assert known(result.power_w).value == pytest.approx(30)
    assert known(result.power_net_w).value == pytest.approx(20)
    assert known(result.latency_s).value == pytest.approx(0.3)
    assert {known(q).kind for q in (result.energy_j, result.latency_s)} == {"measured"}
    assert result.notes == ()


def test_ten_windows_as_long_as_the_sensor_wants_with_half_as_much_idle() -> None:
    machine = Machine(call_s=0.3)
    result = measured(machine, Counter(machine), plan=Plan(budget_s=60, window_s=2.0))
    assert len(result.windows) == 10
    assert all(w.calls == 7 and w.duration_s == pytest.approx(2.1) for w in result.windows)
    assert result.calls == 70
    idle = machine.time_s - machine.cpu_s
    assert idle == pytest.approx(10 * 2.1 / 2 + 2.0 / 2)  # and around the first call


class Slow(Counter):
    """A counter that takes a hundredth of a second to read, at the power of a call."""

    def read_j(self) -> float:
        """The counter, then the rest of the reading."""
        before = super().read_j()
        self.machine.spend(0.01, 30)
        return before


def test_the_time_of_reading_is_not_the_calls() -> None:
    machine = Machine(call_s=0.1)
    result = measured(machine, Slow(machine), plan=Plan(budget_s=30, window_s=0.1))
    assert known(result.latency_s).value == pytest.approx(0.1)
    assert known(result.power_w).value == pytest.approx(30)


def test_domains_add_up() -> None:
    machine = Machine(call_s=0.5)
    result = measured(machine, Counter(machine), Counter(machine, "dram-0"))
    assert known(result.energy_j).value == pytest.approx(30)
    assert {d: q.value for d, q in result.energy_by_domain_j.items()} == pytest.approx(
        {"package-0": 15, "dram-0": 15}
    )


def test_a_wrapped_counter_is_read_right_and_its_windows_redone() -> None:
    machine = Machine(call_s=0.5)
    counter = Counter(machine, range_j=65_532.6)
    counter.offset_j = 65_532.6 - 170.0
    result = measured(machine, counter)
    assert known(result.energy_j).value == pytest.approx(15)
    redone = [w for w in result.windows if w.redone]
    assert redone
    assert all(known(w.energy_j)["package-0"] == pytest.approx(30) for w in redone)
    assert len(result.kept_windows) == 10
    assert codes(result) == ("windows-redone",)
    assert "package-0 wrapped" in said(result)


def test_foreign_load_is_named_and_its_windows_redone() -> None:
    machine = Machine(call_s=0.5)

    def visit(calls: int) -> None:
        machine.foreign_cores = 0.6 if 20 <= calls < 22 else 0.0
        machine.busy_w = 60.0 if 20 <= calls < 22 else 30.0

    machine.on_call = visit
    result = measured(machine, Counter(machine))
    assert known(result.energy_j).value == pytest.approx(15)
    assert sum(w.redone for w in result.windows) in {1, 2}
    assert "windows-redone" in codes(result)


def test_where_all_is_disturbed_it_is_kept_and_said() -> None:
    machine = Machine(call_s=0.5)
    machine.foreign_cores = 2.0
    result = measured(machine, Counter(machine), plan=Plan(budget_s=60))
    assert result.energy_j
    assert "disturbed" in codes(result)
    assert len(result.kept_windows) == 20


def test_what_a_sensor_knows_of_throttling_counts() -> None:
    machine = Machine(call_s=0.5)
    counter = Counter(machine)

    def throttle(calls: int) -> None:
        if calls == 15:
            counter.spoiled = "gpu 0: its clocks were throttled by heat"

    machine.on_call = throttle
    result = measured(machine, counter)
    assert sum(w.redone for w in result.windows) == 1
    assert "throttled by heat" in said(result)


@pytest.mark.parametrize("at", [0, 1, 20])
def test_a_counter_that_stalls_gives_no_energy_and_latency_stays(at: int) -> None:
    machine = Machine(call_s=0.5)
    counter = Counter(machine)
    machine.on_call = lambda calls: counter.stall() if calls == at else None
    if at == 0:
        counter.stall()
    result = measured(machine, counter)
    assert result.energy_j is result.power_w is result.energy_net_j is None
    assert "no-energy" in codes(result)
    assert known(result.latency_s).value == pytest.approx(0.5)
    assert len(result.windows) == 10


def test_a_memory_zone_that_counts_nothing_is_left_out_by_name() -> None:
    machine = Machine(call_s=0.5)
    memory = Counter(machine, "dram-0")
    memory.stall()
    result = measured(machine, Counter(machine), memory)
    assert known(result.energy_j).value == pytest.approx(15)
    assert codes(result) == ("counter-left-out",)
    assert all(set(known(w.energy_j)) == {"package-0"} for w in result.windows)


@pytest.mark.parametrize("range_j", [None, 262_143.0])
@pytest.mark.parametrize("start_j", [1000.0, 200_000.0])
@pytest.mark.parametrize("at_s", [10.0, 10.3, 10.6, 10.9, 11.2])
def test_a_counter_that_falls_spoils_one_window(
    range_j: float | None, start_j: float, at_s: float
) -> None:
    machine = Machine(call_s=0.1)
    counter = Falling(machine, range_j, start_j, {at_s})
    result = measured(machine, counter)
    assert known(result.energy_j).value == pytest.approx(3)
    assert known(result.energy_net_j).value == pytest.approx(2)
    assert [len(w.disturbances) for w in result.windows if w.redone] == [1]
    assert "backwards" in said(result)


def test_a_counter_that_falls_again_and_again_gives_no_energy() -> None:
    machine = Machine(call_s=0.1)
    falls = {0.1 * n for n in range(60, 150)}
    result = measured(machine, Falling(machine, 262_143.0, 5000.0, falls))
    assert result.energy_j is None
    assert "no-energy" in codes(result)
    assert known(result.latency_s).value == pytest.approx(0.1)


class Falling(Counter):
    """A counter that starts again at 0 at some moments, as after a suspend."""

    def __init__(
        self, machine: Machine, range_j: float | None, start_j: float, falls_s: set[float]
    ) -> None:
        super().__init__(machine, range_j=range_j)
        self.offset_j, self.falls_s = start_j, sorted(falls_s)

    def read_j(self) -> float:
        """The counter now."""
        while self.falls_s and self.machine.time_s >= self.falls_s[0]:
            self.falls_s.pop(0)
            self.offset_j = -self.machine.energy_j
        return super().read_j()


@pytest.mark.parametrize("failure", ["permission denied", "it has disappeared"])
def test_a_counter_that_cannot_be_read_any_more(failure: str) -> None:
    machine = Machine(call_s=0.5)
    counter = Counter(machine)

    def fail(calls: int) -> None:
        counter.failure = failure if calls >= 20 else ""

    machine.on_call = fail
    result = measured(machine, counter)
    assert result.energy_j is None
    assert f"No energy: simulated: {failure}." in said(result)
    assert result.latency_s


@pytest.mark.parametrize("error", [SensorError("Unknown Error"), ZeroDivisionError(), None])
@pytest.mark.parametrize("number", [0, 1, 17, 18, 19, 20])
def test_single_readings_that_fail_spoil_a_window_each(
    error: Exception | None, number: int
) -> None:
    machine = Machine(call_s=0.5)
    result = measured(machine, Failing(machine, {number, number + 12}, error))
    assert known(result.energy_j).value == pytest.approx(15)
    assert len(result.kept_windows) == 10


@pytest.mark.parametrize(("failures", "energy"), [(2, True), (3, False)])
def test_three_failures_in_a_row_end_the_energy(failures: int, energy: bool) -> None:
    machine = Machine(call_s=0.5)
    result = measured(machine, Failing(machine, set(range(30, 30 + failures)), OSError("gone")))
    assert (result.energy_j is not None) is energy
    assert ("no-energy" in codes(result)) is not energy
    assert len(result.kept_windows) >= 9


class Failing(Counter):
    """A counter of which some readings fail: with an exception, or without a number."""

    def __init__(self, machine: Machine, numbers: set[int], error: Exception | None) -> None:
        super().__init__(machine)
        self.numbers, self.error, self.readings = numbers, error, 0

    def read_j(self) -> float:
        """The counter now."""
        self.readings += 1
        if self.readings - 1 not in self.numbers:
            return super().read_j()
        if self.error:
            raise self.error
        return float("nan")


def test_a_step_of_the_idle_power_is_named_and_subtracted() -> None:
    machine = Machine(3, call_s=0.5, noise_w=0.1)

    def step(calls: int) -> None:
        if calls == 20:
            machine.idle_w += 5
            machine.busy_w += 5

    machine.on_call = step
    result = measured(machine, Counter(machine))
    assert re.search(r"stepped from (10|9\.9).* W to (15|14\.9).* in window 5", said(result))
    steady = [w for w in result.windows if abs(known(w.idle_before_w)["package-0"] - 10) < 1]
    assert 2 <= len(steady) <= 8
    assert known(result.energy_net_j).value == pytest.approx(10, rel=0.05)


def test_a_steady_idle_power_is_no_step() -> None:
    for seed in range(100):
        machine = Machine(seed, call_s=0.5, noise_w=1.0)
        assert "idle-step" not in codes(measured(machine, Counter(machine)))


def test_what_does_not_fit_is_said_with_the_time_it_takes() -> None:
    machine = Machine(call_s=20.0)
    result = measured(machine, Counter(machine), plan=Plan(budget_s=30))
    assert (result.calls, len(result.windows)) == (1, 1)
    assert known(result.energy_j).value == pytest.approx(600)
    assert known(result.energy_j).ci95 is known(result.latency_s).ci95 is None
    assert "one-call" in codes(result)
    assert "`measure_time_s=420`" in said(result)


def test_fewer_windows_than_asked_for() -> None:
    machine = Machine(call_s=3.0)
    result = measured(machine, Counter(machine), plan=Plan(budget_s=30))
    assert len(result.windows) == 6  # and a cold call
    assert known(result.energy_j).ci95
    assert known(result.latency_s).ci95
    assert codes(result) == ("few-windows",)
    assert machine.time_s <= 31


def test_a_window_too_short_for_the_counter_gives_no_energy() -> None:
    machine = Machine(call_s=0.002)
    result = measured(machine, Counter(machine), plan=Plan(budget_s=0.3))
    assert result.energy_j is None
    assert "no-energy" in codes(result)
    assert result.latency_s


def test_precision_is_reached_and_told() -> None:
    machine = Machine(1, call_s=0.25, noise_w=3.0)
    result = measured(machine, Counter(machine), plan=Plan(budget_s=300, until=0.01))
    low, high = known(known(result.energy_j).ci95)
    assert (high - low) / 2 / known(result.energy_j).value <= 0.01
    assert len(result.windows) > 10
    assert machine.time_s < 300
    assert "precision-reached" in codes(result)


def test_precision_that_is_out_of_reach_is_told() -> None:
    machine = Machine(1, call_s=0.25, noise_w=3.0)
    result = measured(machine, Counter(machine), plan=Plan(budget_s=30, until=0.0001))
    assert machine.time_s < 31
    assert "precision-missed" in codes(result)


@pytest.mark.parametrize("at", [15, 3])
def test_an_interrupt_keeps_what_was_measured(at: int) -> None:
    machine = Machine(call_s=0.5)

    def interrupt(calls: int) -> None:
        if calls == at:
            raise KeyboardInterrupt

    machine.on_call = interrupt
    result = measured(machine, Counter(machine))
    assert result.partial
    assert known(result.energy_j).value == pytest.approx(15)
    assert "interrupted" in codes(result)
    assert f"after {result.calls} call" in said(result)
    assert result.to_dict()["partial"] is True


def test_an_interrupt_before_anything_is_one() -> None:
    machine = Machine()

    def interrupt(_calls: int) -> None:
        raise KeyboardInterrupt

    machine.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        run_protocol(bench(machine), Plan(budget_s=30))


def test_warm_up_waits_until_the_latency_is_stable() -> None:
    machine = Machine(call_s=0.5)

    def warm(calls: int) -> None:
        machine.call_s = 0.01 + 0.2 * 0.9**calls

    machine.on_call = warm
    result = measured(machine, plan=Plan(budget_s=60, window_s=0.5))
    assert known(result.latency_s).value == pytest.approx(0.01, rel=0.1)


def test_short_calls_are_timed_in_groups() -> None:
    machine = Machine(call_s=1.1e-4)
    result = measured(machine, plan=Plan(budget_s=3, windows=2, window_s=0.1))
    assert known(result.latency_s).value == pytest.approx(1.1e-4)
    assert [w.calls / len(w.latencies_s) for w in result.windows] == [10, 10]  # at least 1 ms
    assert "grouped-calls" in codes(result)


def test_windows_on_a_gpu_are_randomly_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(call_s=0.5)
    delays: list[float] = []

    def drawn(low: float, high: float) -> float:
        delays.append(high)
        return low

    monkeypatch.setattr("random.uniform", drawn)
    measured(machine, plan=Plan(budget_s=60, random_delay_s=0.3))
    assert delays == [0.3] * 10


def test_the_device_is_synchronised_before_both_readings() -> None:
    machine = Machine(call_s=0.0)
    queued: list[float] = []

    def call() -> None:
        queued.append(0.01)

    def synchronize() -> None:
        while queued:
            machine.spend(queued.pop(), 50.0)

    counter = Counter(machine)
    at = Bench(Work(call, synchronize), Meter([counter]), machine.clock)
    call()  # of somebody else, before the window
    window = at.measure_window(10, 1, 0.0)
    assert window.energy_j == pytest.approx({"package-0": 5.0})


def empty() -> None:
    """A call that does nothing."""


def cpu_s_of_ten_thousand() -> float:
    """CPU time of so many empty calls in the shortest loop that there is."""
    began = time.process_time()
    for _ in repeat(None, 10_000):
        empty()
    return time.process_time() - began


@pytest.mark.parametrize(("calls", "per_sample"), [(1000, 1), (10_000, 10)])
def test_the_loop_costs_no_more_than_a_few_empty_calls(calls: int, per_sample: int) -> None:
    """As many calls as fill a window of 1 s; ten times these would be a quarter of a percent."""
    at = Bench(Work(empty), Meter([Counter(Machine())]), Clock())
    assert per_sample / calls == SHORTEST_SAMPLE_S
    ours_s = min(at.measure_window(calls, per_sample, 0.0).cpu_s for _ in range(5))
    assert ours_s < 10 * min(cpu_s_of_ten_thousand() for _ in range(5))
