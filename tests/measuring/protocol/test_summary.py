"""What a summary says is missing, and which budget it says would do."""

import pytest

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.run import Plan, Record
from inspect_cost.measuring.protocol.summary import (
    add_latency,
    estimate_sufficient_s,
    list_shortfalls,
    round_up_s,
)
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.values.notes import Note
from inspect_cost.values.quantity import Quantity


@pytest.mark.parametrize(
    ("seconds", "rounded"),
    [
        (0.5, 10),
        (30.0, 30),
        (30.1, 40),
        (60.0, 60),
        (60.1, 120),
        (120.0, 120),
        (3600.0, 3600),
        (3601.0, 7200),
        (7200.0, 7200),
    ],
)
def test_durations_are_rounded_up(seconds: float, rounded: int) -> None:
    assert round_up_s(seconds) == rounded


def windows(count: int, duration_s: float = 1.0, calls: int = 10) -> list[Window]:
    latency_s = duration_s / calls
    return [Window(duration_s, calls, (latency_s,) * calls)] * count


def test_a_sufficient_budget_has_room_for_all_windows_with_idle_time_and_a_quarter_more() -> None:
    plan = Plan(budget_s=5.0, windows=10, window_s=1.0)
    assert estimate_sufficient_s(plan, windows(1)) == pytest.approx(1.25 * 16 * 1.0)
    # Calls of 4 s make windows of 4 s.
    assert estimate_sufficient_s(plan, windows(1, 8.0, 2)) == pytest.approx(1.25 * 16 * 4.0)
    # What took 5 s for two takes 25 s for ten.
    assert estimate_sufficient_s(plan, windows(2)) == pytest.approx(1.25 * 25)


def energy(value: float, low: float, high: float) -> Quantity:
    return Quantity(value, "J", "measured", "rapl", (low, high))


def notes(
    plan: Plan,
    made: list[Window],
    energy_j: Quantity | None = None,
    energy_net_j: Quantity | None = None,
) -> list[Note]:
    record = Record(made, warmed_up=True)
    bare = Measurement(windows=tuple(made), energy_j=energy_j, energy_net_j=energy_net_j)
    measurement = add_latency(bare, made)
    return list_shortfalls(record, plan, made, measurement)


@pytest.mark.parametrize(
    ("until", "code"),
    [(0.1, "precision-reached"), (0.09, "precision-missed")],
)
def test_the_precision_asked_for_is_compared_with_that_of_the_energy(
    until: float, code: str
) -> None:
    (note,) = notes(Plan(30, until=until), windows(10), energy_j=energy(20.0, 18.0, 22.0))
    assert note.code == code
    assert "energy: ± 10.00%" in note


def test_without_energy_it_is_compared_with_that_of_the_latency() -> None:
    (note,) = notes(Plan(30, until=0.1), windows(10))
    assert note.code == "precision-reached"
    assert "latency: ± 0.00%" in note


@pytest.mark.parametrize(("low", "hidden"), [(-0.1, True), (0.0, True), (0.1, False)])
def test_a_net_energy_that_may_be_nothing_says_so(low: float, hidden: bool) -> None:
    said = notes(Plan(30), windows(10), energy_net_j=energy(1.0, low, 2.0))
    assert ("net-hidden" in {note.code for note in said}) is hidden


def test_groups_are_named_where_there_are_any() -> None:
    made = windows(10)
    measurement = add_latency(Measurement(windows=tuple(made)), made)
    for per_sample, named in ((1, False), (2, True)):
        record = Record(made, warmed_up=True, per_sample=per_sample)
        said = list_shortfalls(record, Plan(30), made, measurement)
        assert ("grouped-calls" in {note.code for note in said}) is named


def test_quartiles_need_two_latencies_and_an_interval_six() -> None:
    one = add_latency(Measurement(), windows(1, 1.0, 1))
    assert (one.latency_quartiles_s, one.latency_p95_s) == (None, None)
    two = windows(2, 1.0, 1)
    assert add_latency(Measurement(), two).latency_quartiles_s == (1.0, 1.0)
    assert [note.code for note in notes(Plan(30, windows=2), two)] == ["no-latency-interval"]
    assert notes(Plan(30, windows=1), windows(1, 1.0, 1)) == []
