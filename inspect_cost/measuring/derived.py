"""Quantities that follow from the energy of one call: electricity, carbon, battery life."""

from dataclasses import replace

from inspect_cost.hardware.grid import DEFAULT_KGCO2E_PER_KWH, DEFAULT_SOURCE
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.numbers import check_positive
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import G_PER_KG, J_PER_KWH, J_PER_WH, S_PER_H

CALLS = 1_000_000


def add_derived(
    measurement: Measurement, intensity: float | None = None, battery_wh: float | None = None
) -> Measurement:
    """Return the measurement with kWh and gCO2e per million calls, and hours on a battery.

    They follow from the measured gross energy, or from the estimate if nothing was measured.

    Args:
        measurement: of one call.
        intensity: of the grid, in kgCO2e/kWh; the default's source is named with the figure.
        battery_wh: what the battery holds; None for no battery.

    Raises:
        UsageError: one of them is not a number above 0.
    """
    check_positive("intensity", intensity, "0.05")
    check_positive("battery_wh", battery_wh, "15")
    energy = measurement.energy_j or measurement.estimated_energy_j
    if energy is None:
        return measurement
    kwh = energy.scaled(CALLS / J_PER_KWH, "kWh")
    derived = {
        "kwh_per_million_calls": kwh,
        "gco2e_per_million_calls": compute_carbon(kwh, intensity),
    }
    if battery_wh is not None:
        derived |= compute_battery_hours(measurement, energy, battery_wh)
    return replace(measurement, derived=derived)


def compute_carbon(kwh: Quantity, intensity: float | None) -> Quantity:
    """Return the gCO2e of this electricity: estimated, since the grid's figure is an average."""
    per_kwh = DEFAULT_KGCO2E_PER_KWH if intensity is None else intensity
    where = DEFAULT_SOURCE if intensity is None else "as given"
    source = f"{kwh.kind} energy x {per_kwh:g} kgCO2e/kWh ({where})"
    grams = kwh.scaled(per_kwh * G_PER_KG, "gCO2e")
    return replace(grams, kind="estimated", source=source)


def compute_battery_hours(
    measurement: Measurement, energy: Quantity, battery_wh: float
) -> dict[str, Quantity]:
    """Return hours of back-to-back calls, and of audio in real time if the model keeps up."""
    source = f"{battery_wh:g} Wh / {energy.kind} power, if nothing else draws on the battery"
    powers = {
        "battery_continuous_h": find_continuous_power_w(measurement, energy),
        "battery_real_time_h": find_real_time_power_w(measurement, energy),
    }
    return {
        name: _compute_hours(battery_wh, power_w, source)
        for name, power_w in powers.items()
        if power_w is not None
    }


def find_continuous_power_w(measurement: Measurement, energy: Quantity) -> Quantity | None:
    """Return the power of back-to-back calls: as measured, else energy over latency."""
    latency = measurement.latency_s
    if measurement.power_w is not None or latency is None:
        return measurement.power_w
    return energy.scaled(1 / latency.value, "W")


def find_real_time_power_w(measurement: Measurement, energy: Quantity) -> Quantity | None:
    """Return the power of making one second of audio each second; None if that is too slow."""
    factor = measurement.real_time_factor
    if factor is None or factor.value > 1 or not measurement.audio_s:
        return None
    net, idle = measurement.energy_net_j, measurement.idle_power_w
    if net is None or idle is None:
        return energy.scaled(1 / measurement.audio_s, "W")
    # The idle power flows all the time, the net energy once for each second of audio.
    power_w = net.value / measurement.audio_s + idle.value
    return Quantity(power_w, "W", net.kind, net.source)


def _compute_hours(battery_wh: float, power_w: Quantity, source: str) -> Quantity:
    """Return how long a battery lasts at a power; the interval's ends change places."""
    joules = battery_wh * J_PER_WH
    ends = power_w.ci95
    low_high = None
    if ends and ends[0] > 0:
        low_high = (joules / ends[1] / S_PER_H, joules / ends[0] / S_PER_H)
    return Quantity(joules / power_w.value / S_PER_H, "h", "estimated", source, low_high)
