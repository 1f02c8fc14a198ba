"""What is estimated and derived: formulas named, kinds kept apart, rows found."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from inspect_cost.hardware.cpus import find_cpu, read_cpus
from inspect_cost.measuring.derived import add_derived
from inspect_cost.measuring.estimate import estimate_energy
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.cpu_time import read_cpu_s
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.measuring.session import EXAMPLES, MeasureRequest
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Output
from inspect_cost.values.quantity import Quantity

NAMES = [
    ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "Core i7-8700K", 95),
    ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", "Core i7-8700", 65),
    ("AMD EPYC 7763 64-Core Processor", "EPYC 7763", 280),
    ("AMD Ryzen 9 9950X 16-Core Processor", "Ryzen 9 9950X", 170),
]


@pytest.mark.parametrize(("model", "row", "power_w"), NAMES)
def test_rows_are_found_by_what_a_cpu_calls_itself(model: str, row: str, power_w: float) -> None:
    found = find_cpu(model)
    assert found
    assert (found.name, found.max_power_w) == (row, power_w)
    assert found.source


@pytest.mark.parametrize(
    "model",
    ["AMD EPYC", "AMD EPYC 7551P 32-Core Processor", "Intel(R) Core(TM) i7-8700KS", None, ""],
)
def test_a_cpu_that_is_in_no_row(model: str | None) -> None:
    assert find_cpu(model) is None


def test_the_table_is_sound() -> None:
    rows = read_cpus()
    assert len(rows) >= 20
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.kind == "cpu" and row.threads for row in rows)
    assert all(5 <= row.max_power_w <= 500 and 2 <= (row.threads or 0) <= 256 for row in rows)


def measurement() -> Measurement:
    """Three quarters of a second of CPU time a call."""
    window = Window(2.0, 4, (0.5,) * 4, cpu_s=3.0)
    return Measurement(
        latency_s=Quantity(0.5, "s", "measured", "clock", (0.4, 0.6)),
        windows=(window,),
        output=Output(32_000, AUDIO, 16_000),
    )


def test_maximum_power_times_utilisation_times_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "inspect_cost.measuring.estimate.read_cpu_model", lambda: "AMD EPYC 7763 64-Core Processor"
    )
    energy, why = estimate_energy(measurement())
    assert energy
    assert (energy.kind, why) == ("estimated", "")
    assert energy.value == pytest.approx(280 * 0.75 / 128)
    for text in (
        "maximum power x utilisation x time",
        "280 W (EPYC 7763; default TDP",
        "0.75 s of CPU",
    ):
        assert text in energy.source


def test_a_cpu_without_a_row_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspect_cost.measuring.estimate.read_cpu_model", lambda: "AMD EPYC")
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    energy, why = estimate_energy(measurement())
    assert energy is None
    assert "AMD EPYC" in why
    assert "`max_power_w`" in why
    energy, _ = estimate_energy(measurement(), 100.0)
    assert energy
    assert "given as max_power_w" in energy.source
    assert energy.value == pytest.approx(100 * 0.75 / 4)


def test_electricity_carbon_and_battery() -> None:
    measured = replace(
        measurement(),
        energy_j=Quantity(36.0, "J", "measured", "rapl", (27.0, 45.0)),
        energy_net_j=Quantity(26.0, "J", "measured", "rapl", (17.0, 35.0)),
        power_w=Quantity(72.0, "W", "measured", "rapl", (54.0, 90.0)),
        idle_power_w=Quantity(20.0, "W", "measured", "rapl"),
    )
    derived = add_derived(measured, battery_wh=14.4).derived
    assert derived["kwh_per_million_calls"].value == pytest.approx(10)
    assert derived["kwh_per_million_calls"].kind == "measured"
    carbon = derived["gco2e_per_million_calls"]
    assert carbon.value == pytest.approx(4370)
    assert carbon.ci95 == pytest.approx((3277.5, 5462.5))
    assert carbon.kind == "estimated"
    assert "0.437 kgCO2e/kWh (world average of 2018" in carbon.source
    assert derived["battery_continuous_h"].value == pytest.approx(0.2)
    assert derived["battery_continuous_h"].ci95 == pytest.approx((0.16, 0.2667), rel=1e-3)
    # A second of audio takes 13 J beside the 20 W that flow anyway.
    assert derived["battery_real_time_h"].value == pytest.approx(14.4 / 33)


def test_a_battery_in_real_time_without_an_idle_power() -> None:
    estimated = replace(measurement(), estimated_energy_j=Quantity(36.0, "J", "estimated", "TDP"))
    derived = add_derived(estimated, battery_wh=9.0).derived
    assert derived["battery_real_time_h"].value == pytest.approx(9.0 / 18)


@pytest.mark.parametrize(("call_s", "keeps_up"), [(2.0, True), (2.01, False)])
def test_a_battery_lasts_in_real_time_only_where_the_model_keeps_up(
    call_s: float, keeps_up: bool
) -> None:
    energy, latency = (
        Quantity(36.0, "J", "estimated", "TDP"),
        Quantity(call_s, "s", "measured", "clock"),
    )
    slow = replace(measurement(), estimated_energy_j=energy, latency_s=latency)
    assert ("battery_real_time_h" in add_derived(slow, battery_wh=9.0).derived) is keeps_up


def test_an_interval_down_to_no_power_gives_no_interval_of_the_battery() -> None:
    power = Quantity(72.0, "W", "measured", "rapl", (-1.0, 145.0))
    energy = Quantity(36.0, "J", "measured", "rapl", (-0.5, 72.5))
    measured = replace(measurement(), energy_j=energy, power_w=power)
    hours = add_derived(measured, battery_wh=14.4).derived["battery_continuous_h"]
    assert hours.value == pytest.approx(0.2)
    assert hours.ci95 is None


def test_an_intensity_that_is_given_is_named_so() -> None:
    estimated = replace(measurement(), estimated_energy_j=Quantity(3.6, "J", "estimated", "TDP"))
    derived = add_derived(estimated, intensity=0.05, battery_wh=7.2).derived
    assert derived["gco2e_per_million_calls"].value == pytest.approx(50)
    assert (
        "estimated energy x 0.05 kgCO2e/kWh (as given)" in derived["gco2e_per_million_calls"].source
    )
    assert derived["battery_continuous_h"].value == pytest.approx(1.0)
    assert all(q.kind == "estimated" for q in derived.values())


def test_nothing_follows_from_no_energy() -> None:
    assert add_derived(measurement(), battery_wh=15).derived == {}


def test_nothing_is_estimated_of_what_was_not_timed() -> None:
    energy, why = estimate_energy(replace(measurement(), windows=()), 100.0)
    assert energy is None
    assert "no window was measured" in why


@pytest.mark.parametrize("busy", [1.0, 40.0])
def test_an_estimate_needs_no_latency_and_does_not_rise_on_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, busy: float
) -> None:
    """Nine calls of 2 ms of CPU time, and one of 100 ms, which others may delay."""
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    latencies = (0.002,) * 9 + (0.1,)
    window = Window(
        busy * sum(latencies), 10, tuple(busy * s for s in latencies), cpu_s=sum(latencies)
    )
    energy, _ = estimate_energy(Measurement(windows=(window,) * 3), 100.0)
    assert energy
    assert energy.value == pytest.approx(100 * 0.0118 / 4)
    per_million = add_derived(Measurement(estimated_energy_j=energy)).derived
    assert per_million["kwh_per_million_calls"].value == pytest.approx(energy.value / 3.6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("waits", [False, True])
def test_cpu_time_of_children_counts_before_and_after_they_end(*, waits: bool) -> None:
    began = read_cpu_s()
    script = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        if waits:
            child.communicate(b"\n")
        spent_s = read_cpu_s() - began
        if not waits:
            child.communicate(b"\n")
    assert 0.48 < spent_s < 1.5


NONE = [float("nan"), float("inf"), float("-inf"), 0, -1.0, "5", True]


@pytest.mark.parametrize("wrong", NONE)
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_request_takes_no_numbers_that_are_none(name: str, wrong: Any) -> None:
    with pytest.raises(UsageError) as error:
        MeasureRequest(**{name: wrong})
    assert error.value.field == name


@pytest.mark.parametrize("wrong", NONE)
def test_what_is_estimated_and_derived_takes_no_numbers_that_are_none(wrong: Any) -> None:
    with pytest.raises(UsageError):
        estimate_energy(measurement(), wrong)
    with pytest.raises(UsageError):
        add_derived(measurement(), intensity=wrong)
    with pytest.raises(UsageError):
        add_derived(measurement(), battery_wh=wrong)


def test_json_has_no_numbers_that_are_none() -> None:
    broken = replace(measurement(), latency_s=Quantity(float("nan"), "s", "measured", "clock"))
    with pytest.raises(ValueError, match="JSON"):
        broken.to_json()
