"""A cold first call plans nothing and is no latency; plans are remade; the time is kept to."""

import time
from collections.abc import Callable

import pytest
import torch
from torch import nn

import inspect_cost
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.run import OVERRUN, Plan
from inspect_cost.values.notes import codes as note_codes
from tests.measuring.simulated import Counter, Machine, codes, known, measured

BUDGET_S = 6.0


def machine_of(duration_of: Callable[[int], float]) -> Machine:
    """A machine whose calls, from 1, take what a function says."""
    machine = Machine(busy_w=40.0)
    machine.on_call = lambda calls: setattr(machine, "call_s", duration_of(calls))
    return machine


def first(cold_s: float, then: Callable[[int], float]) -> Callable[[int], float]:
    """A cold call, then others."""
    return lambda calls: cold_s if calls == 1 else then(calls)


#: What each call takes, by its number; and what a warm one takes.
MODELS = {
    "loads": (first(1.2, lambda _: 0.002), 0.002),
    "loads, then allocates": (
        lambda n: 1.2 if n == 1 else 0.05 if n == 2 else 0.002,
        0.002,
    ),
    "compiles twice": (lambda n: 1.5 if n <= 2 else 0.004, 0.004),
    "compiles longer than the budget": (first(20.0, lambda _: 0.003), 0.003),
    "compiles for most of the budget": (first(5.5, lambda _: 0.01), 0.01),
    "is slow, then fast": (lambda n: 0.5 if n <= 3 else 0.001, 0.001),
    "is short": (first(0.5, lambda _: 2e-5), 2e-5),
}


@pytest.mark.parametrize("name", MODELS)
def test_figures_are_those_of_warm_calls(name: str) -> None:
    duration_of, warm_s = MODELS[name]
    machine = machine_of(duration_of)
    result = measured(machine, Counter(machine), plan=Plan(BUDGET_S))
    assert known(result.first_call_s).value == pytest.approx(duration_of(1))
    assert known(result.latency_s).value == pytest.approx(warm_s, rel=0.01)
    assert known(result.energy_j).value == pytest.approx(40 * warm_s, rel=0.02)
    assert known(result.energy_j).half_width < 0.1 * 40 * warm_s
    whole = [w for w in result.kept_windows if w.duration_s > 0.5]
    assert len(whole) == len(result.kept_windows) >= 1
    assert machine.time_s <= BUDGET_S * (1 + OVERRUN) + duration_of(1)


@pytest.mark.parametrize("call_s", [0.001, 0.1, 1.0, 2.9])
def test_a_model_that_is_slow_in_every_call_keeps_its_result(call_s: float) -> None:
    machine = machine_of(lambda _: call_s)
    result = measured(machine, plan=Plan(BUDGET_S))
    assert known(result.latency_s).value == pytest.approx(call_s)
    assert machine.time_s <= BUDGET_S * (1 + OVERRUN) + call_s


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize(
    "duration_of",
    [
        lambda n: 0.001 if n < 1500 else 0.2,  # becomes slow
        lambda n: 1e-5 if n < 90_000 else 0.01,
        lambda n: 0.1 if n < 15 else 0.001,  # becomes fast
        lambda n: 0.002 * 1.002**n,  # slower and slower
        lambda n: 1.2 if n % 100 == 0 else 0.01,  # sleeps now and then
        lambda n: 0.003 if (n // 300) % 2 else 0.03,
    ],
)
def test_the_time_is_kept_to_whatever_calls_do(
    duration_of: Callable[[int], float], counted: bool
) -> None:
    machine = machine_of(duration_of)
    longest_s = 0.0

    def note(calls: int) -> None:
        nonlocal longest_s
        machine.call_s = duration_of(calls)
        longest_s = max(longest_s, machine.call_s)

    machine.on_call = note
    result = measured(machine, *([Counter(machine)] if counted else []), plan=Plan(BUDGET_S))
    assert result.latency_s
    # A call that is timed in groups is noticed at the end of its group.
    group = result.calls / sum(len(w.latencies_s) for w in result.kept_windows)
    assert machine.time_s <= BUDGET_S * (1 + OVERRUN) + longest_s * max(1.0, group)


def test_a_change_of_speed_is_told_and_the_plan_remade() -> None:
    machine = machine_of(lambda n: 0.1 if n < 60 else 0.004)
    result = measured(machine, Counter(machine), plan=Plan(30.0))
    assert "plan-changed" in codes(result)
    assert all(w.duration_s > 0.6 for w in result.windows)


def measure_sleep(durations_s: list[float], budget_s: float) -> tuple[Measurement, float]:
    """Measure real calls, of which the last duration repeats; and the seconds that it took."""
    left = list(durations_s)
    began = time.monotonic()
    result = inspect_cost.measure(
        lambda: time.sleep(left.pop(0) if len(left) > 1 else left[0]),
        sensors=(),
        measure_time_s=budget_s,
        peak_memory=False,
    )
    return result, time.monotonic() - began


def test_a_second_call_that_is_too_slow_is_stopped_and_there_is_no_latency() -> None:
    result, took_s = measure_sleep([0.3, 60.0], 0.5)
    assert result.latency_s is None
    assert known(result.first_call_s).value >= 0.3
    assert note_codes(result.notes)[-1] == "first-call-only"
    assert result.calls == 0
    assert took_s < 10
    assert Measurement.from_dict(result.to_dict()) == result
    assert "first call" in str(result).lower()


def test_a_later_call_that_does_not_end_is_stopped_and_windows_before_it_count() -> None:
    result, took_s = measure_sleep([0.01] * 30 + [60.0], 1.0)
    assert result.latency_s
    assert "stopped-call" in note_codes(result.notes)
    assert took_s < 10


class Lazy(nn.Module):
    """Loads something at its first call."""

    ready = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.ready:
            time.sleep(1.2)
            self.ready = True
        return x + 1


def test_a_module_that_loads_at_its_first_call() -> None:
    began = time.monotonic()
    result = inspect_cost.measure(
        Lazy(), torch.ones(1), sensors=(), measure_time_s=2, peak_memory=False
    )
    assert time.monotonic() - began < 2 * 1.2 + 1.2 + 5
    assert known(result.latency_s).value < 0.1
    assert known(result.first_call_s).value >= 1.2


def test_an_interrupt_of_the_second_call_leaves_the_first() -> None:
    machine = Machine(call_s=0.5)

    def interrupt(calls: int) -> None:
        if calls == 2:
            raise KeyboardInterrupt

    machine.on_call = interrupt
    result = measured(machine, Counter(machine))
    assert result.partial
    assert result.latency_s is None
    assert known(result.first_call_s).value == 0.5
    assert codes(result) == ("interrupted",)
