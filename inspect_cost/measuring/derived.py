"""What follows from the energy of one call: electricity, carbon, battery life."""

from dataclasses import replace

from inspect_cost.measuring.measurement import Measurement
from inspect_cost.values.quantity import Quantity

CALLS = 1_000_000
J_PER_KWH = 3.6e6
J_PER_WH = 3600.0
S_PER_H = 3600.0
G_PER_KG = 1000.0

DEFAULT_INTENSITY = 0.437
#: Where the default grid intensity comes from.
INTENSITY_SOURCE = "world average of 2018, as in Douwes, Esling & Briot 2021"


def with_derived(
    measurement: Measurement, intensity: float | None = None, battery_wh: float | None = None
) -> Measurement:
    """The measurement with kWh and gCO2e per million calls, and hours on a battery.

    From the measured gross energy, or from the estimate where nothing was measured.

    Args:
        measurement: of one call.
        intensity: of the grid, in kgCO2e/kWh; the default's source is named with the figure.
        battery_wh: what the battery holds; None for no battery.
    """
    energy = measurement.energy_j or measurement.estimated_energy_j
    if energy is None:
        return measurement
    kwh = energy.scaled(CALLS / J_PER_KWH, "kWh")
    derived = {"kwh_per_million_calls": kwh, "gco2e_per_million_calls": carbon(kwh, intensity)}
    if battery_wh is not None:
        derived |= battery_hours(measurement, energy, battery_wh)
    return replace(measurement, derived=derived)


def carbon(kwh: Quantity, intensity: float | None) -> Quantity:
    """Emissions in gCO2e of this electricity: estimated, since the grid's figure is an average."""
    per_kwh = DEFAULT_INTENSITY if intensity is None else intensity
    where = INTENSITY_SOURCE if intensity is None else "as given"
    source = f"{kwh.kind} energy x {per_kwh:g} kgCO2e/kWh ({where})"
    grams = kwh.scaled(per_kwh * G_PER_KG, "gCO2e")
    return replace(grams, kind="estimated", source=source)


def battery_hours(
    measurement: Measurement, energy: Quantity, battery_wh: float
) -> dict[str, Quantity]:
    """Hours of calls one after another; and of audio in real time, where it can keep up."""
    source = f"{battery_wh:g} Wh / {energy.kind} power, if nothing else draws on the battery"
    powers = {
        "battery_continuous_h": continuous_power_w(measurement, energy),
        "battery_real_time_h": real_time_power_w(measurement, energy),
    }
    return {
        name: _hours(battery_wh, power_w, source)
        for name, power_w in powers.items()
        if power_w is not None
    }


def continuous_power_w(measurement: Measurement, energy: Quantity) -> Quantity | None:
    """Power while one call follows another."""
    latency = measurement.latency_s
    if measurement.power_w is not None or latency is None:
        return measurement.power_w
    return energy.scaled(1 / latency.value, "W")


def real_time_power_w(measurement: Measurement, energy: Quantity) -> Quantity | None:
    """Power while making a second of audio each second, idle in between; None if too slow."""
    factor = measurement.real_time_factor
    if factor is None or factor.value > 1 or not measurement.audio_s:
        return None
    net, idle = measurement.energy_net_j, measurement.idle_power_w
    if net is None or idle is None:
        return energy.scaled(1 / measurement.audio_s, "W")
    power_w = net.value / measurement.audio_s + idle.value
    return Quantity(power_w, "W", net.kind, net.source)


def _hours(battery_wh: float, power_w: Quantity, source: str) -> Quantity:
    """How long a battery lasts at a power; the interval's ends change places."""
    joules = battery_wh * J_PER_WH
    ends = power_w.ci95
    low_high = None
    if ends and ends[0] > 0:
        low_high = (joules / ends[1] / S_PER_H, joules / ends[0] / S_PER_H)
    return Quantity(joules / power_w.value / S_PER_H, "h", "estimated", source, low_high)
