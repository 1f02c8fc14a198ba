"""What a run does with its time: warm-up, how many windows of how many calls, when it stops."""

import pytest

from inspect_cost.measuring.protocol.run import Plan, Record, is_stable, run_protocol
from inspect_cost.measuring.protocol.window import Window
from tests.measuring.simulated import Counter, Machine, bench

#: Sums of it are exact, so that no window has a call more by rounding.
EIGHTH_S = 0.125


def run(machine: Machine, plan: Plan, *counters: Counter) -> Record:
    return run_protocol(bench(machine, *counters), plan)


@pytest.mark.parametrize(
    ("latencies", "expected"),
    [
        ([1.0] * 5, False),
        ([1.0] * 6, True),
        ([9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], True),  # the last six
        ([100.0] * 3 + [103.0] * 3, True),
        ([100.0] * 3 + [97.0] * 3, True),
        ([100.0] * 3 + [103.1] * 3, False),
        ([100.0] * 3 + [96.9] * 3, False),
        ([1.0, 1.0, 9.0, 1.0, 9.0, 1.0], True),  # outliers do not count
    ],
)
def test_stable_is_three_stretches_within_three_percent_of_three(
    latencies: list[float], expected: bool
) -> None:
    assert is_stable(latencies) is expected


@pytest.mark.parametrize(("call_s", "warmed"), [(0.99, True), (1.01, False)])
def test_a_first_call_of_a_thirtieth_of_the_budget_is_warm_up_enough(
    call_s: float, warmed: bool
) -> None:
    machine = Machine(call_s=call_s)
    record = run(machine, Plan(budget_s=30))
    in_windows = sum(window.calls for window in record.windows)
    assert (machine.calls > in_windows + 1) is warmed
    assert record.warmed_up


def test_a_cold_first_call_does_not_set_the_size_of_the_windows() -> None:
    machine = Machine(call_s=0.9)
    machine.on_call = lambda calls: setattr(machine, "call_s", 0.9 if calls == 1 else 0.01)
    record = run(machine, Plan(budget_s=30))
    assert all(window.calls in {100, 101} for window in record.windows)  # by rounding


def test_a_warm_up_that_does_not_end_says_so_after_a_fifth_of_the_budget() -> None:
    machine = Machine(call_s=0.01)
    machine.on_call = lambda _calls: setattr(machine, "call_s", machine.call_s * 1.005)
    record = run(machine, Plan(budget_s=5, windows=1))
    assert record.notes == ["Latency was not yet stable when the warm-up ended, after 1 s."]


@pytest.mark.parametrize(("budget_s", "calls"), [(0.1, 2), (1.5, 2), (2.0, 2), (2.9, 2), (3.1, 3)])
def test_a_budget_of_few_calls(budget_s: float, calls: int) -> None:
    machine = Machine(call_s=1.0)
    record = run(machine, Plan(budget_s, window_s=0.5))
    assert machine.calls == calls
    assert sum(window.calls for window in record.windows) == calls - 1  # all but the cold one


def test_as_many_windows_as_fit_with_their_idle_time() -> None:
    machine = Machine(call_s=EIGHTH_S)
    # A first call with its idle time, the warm-up's nine calls, four windows.
    needed_s = EIGHTH_S + 0.5 + 9 * EIGHTH_S + 4 * 1.5
    record = run(machine, Plan(needed_s + 0.1), Counter(machine))
    assert len(record.windows) == 4
    assert machine.time_s == pytest.approx(needed_s)


def test_without_counters_there_is_no_idle_time() -> None:
    machine = Machine(call_s=EIGHTH_S)
    needed_s = 10 * EIGHTH_S + 4 * 1.0
    record = run(machine, Plan(needed_s + 0.1))
    assert len(record.windows) == 4
    assert machine.time_s == machine.cpu_s == pytest.approx(needed_s)


def test_short_calls_fill_the_windows_and_half_as_much_idle_time() -> None:
    machine = Machine(call_s=2**-13)
    record = run(machine, Plan(budget_s=60), Counter(machine))
    assert record.per_sample == 9  # which take a millisecond
    assert all(window.duration_s == pytest.approx(1, rel=2e-3) for window in record.windows)
    assert machine.time_s - machine.cpu_s == pytest.approx(10 * 0.5 + 0.5, rel=2e-3)
    # A first call, three, and six stretches of 50 ms came before.
    assert machine.calls - sum(window.calls for window in record.windows) == 1 + 3 + 6 * 410


@pytest.mark.parametrize(("interlude_s", "ends_s"), [(10.0, 30.0), (20.0, EIGHTH_S + 20.0 + 15.0)])
def test_windows_keep_half_of_the_budget_whatever_came_between(
    interlude_s: float, ends_s: float
) -> None:
    machine = Machine(call_s=EIGHTH_S, noise_w=3.0)
    endless = Plan(budget_s=30, until=1e-6)
    run_protocol(
        bench(machine, Counter(machine)),
        endless,
        after_first=lambda _first_s: machine.sleep(interlude_s),
    )
    assert ends_s - 1.5 < machine.time_s <= ends_s


def test_one_window_has_no_precision() -> None:
    machine = Machine(call_s=0.1)
    record = run(machine, Plan(budget_s=60, windows=1, until=0.5), Counter(machine))
    assert len(record.windows) > 1


@pytest.mark.parametrize(("undisturbed", "kept"), [(2, 20), (3, 3)])
def test_three_undisturbed_windows_are_preferred_to_many(undisturbed: int, kept: int) -> None:
    machine = Machine(call_s=0.1)
    counter = Counter(machine)
    before = 1 + 9 + 10 * undisturbed  # a first call, the warm-up, windows of ten calls

    def spoil(calls: int) -> None:
        counter.spoiled = "spoiled" if calls > before else None

    machine.on_call = spoil
    record = run(machine, Plan(budget_s=60), counter)
    assert len(record.windows) == 20
    assert len(record.kept) == kept


@pytest.mark.parametrize(("until", "last"), [(None, 1.0), (0.5, 0.085)])
def test_progress_is_of_the_windows_or_of_the_time(until: float | None, last: float) -> None:
    machine = Machine(call_s=0.1)
    told: list[float] = []
    run_protocol(bench(machine), Plan(budget_s=1000, until=until), told.append)
    assert len(told) == 10
    assert told == sorted(told)
    assert told[-1] == pytest.approx(last) if until is None else told[-1] < last


def test_an_idle_counter_that_is_slow_is_not_stalled() -> None:
    machine = Machine(call_s=0.1, idle_w=0.0)
    machine.time_s = 1000.0
    counter = Counter(machine)
    counter.period_s = 0.1
    at = bench(machine, counter)
    assert at.measure_idle_w(0.25) == {"package-0": 0.0}
    assert at.meter.works
    assert at.measure_idle_w(0.5) is None
    assert not at.meter.works


def test_a_window_as_data() -> None:
    window = Window(2.0, 4, (0.5, 0.4, 0.6), {"package-0": 60.0}, {"package-0": 9.0})
    assert window.idle_power_w is None  # known on one side only
    summary = {
        "duration_s": 2.0,
        "calls": 4,
        "latency_s": 0.5,
        "energy_j": {"package-0": 60.0},
        "idle_power_w": None,
        "cpu_s": 0.0,
        "disturbances": [],
        "redone": False,
    }
    assert window.summarize() == summary
    assert window.to_dict() == {
        **summary,
        "latencies_s": [0.5, 0.4, 0.6],
        "idle_before_w": {"package-0": 9.0},
        "idle_after_w": None,
    }
    assert Window.from_dict(window.to_dict()) == window
    assert Window(2.0, 4, (0.5,)).to_dict()["energy_j"] is None
