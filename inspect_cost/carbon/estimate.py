"""Training carbon as the product of power, time, overhead and the grid's carbon intensity.

Douwes, Esling & Briot 2021 (arXiv 2107.02621), eq. 6 and, with everything around the GPUs, eq. 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from inspect_cost.hardware import grid
from inspect_cost.hardware.gpus import find_gpu, parse_gpu_count
from inspect_cost.values.bounds import (
    HOURS,
    PLAIN,
    WATTS,
    Bounds,
    Given,
    add_bounds,
    parse_bounds,
)
from inspect_cost.values.errors import UsageError
from inspect_cost.values.notes import Note, read_notes, write_notes
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.quantity import Kind, Quantity
from inspect_cost.values.units import W_PER_KW

EQUATION_6 = "CO2e = intensity x n x p_max x t (Douwes, Esling & Briot 2021, eq. 6)"
EQUATION_4 = (
    "CO2e = intensity x PUE x (p_c + p_r + g x p_g) x t (Strubell, Ganesh & McCallum 2019; "
    "Douwes, Esling & Briot 2021, eq. 4)"
)
POWER_KINDS = ("estimated", "measured")
NO_PUE = "none: no overhead of the data centre (as in the 2021 paper's Table 1); 1.58 in its eq. 4"


@dataclass(frozen=True)
class Power:
    """The power of one device while it trains.

    Attributes:
        watts: the figure, or its range.
        kind: measured by a sensor, or estimated, as from a maximum.
        source: the sensor, or who published it.
    """

    watts: Bounds
    kind: Kind
    source: str


@dataclass(frozen=True)
class Phase:
    """A part of a training on one set of devices.

    Attributes:
        hours: how long it ran.
        count: number of GPUs.
        hardware: their name; "" where only their power is known.
        power: of one of them.
        note: what to know about the figure; "" for nothing.
    """

    hours: Bounds
    count: int
    hardware: str
    power: Power
    note: str = ""

    def energy_kwh(self, cpu: Bounds, ram: Bounds) -> Bounds:
        """Return the energy, without the overhead of the data centre."""
        return (self.power.watts * self.count + cpu + ram) * self.hours * (1 / W_PER_KW)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "hardware": self.hardware or None,
            "count": self.count,
            "power_w": _write_bounds(self.power.watts, "W", self.power.kind, self.power.source),
            "hours": _write_bounds(self.hours, "h", "reported", "given"),
            "note": self.note or None,
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        power = Quantity.from_dict(written["power_w"])
        return cls(
            hours=Bounds(*_get_ends(Quantity.from_dict(written["hours"]))),
            count=written["count"],
            hardware=written["hardware"] or "",
            power=Power(Bounds(*_get_ends(power)), power.kind, power.source),
            note=written["note"] or "",
        )


@dataclass(frozen=True, repr=False)
class CarbonEstimate(Presentable):
    """Energy and emissions of a training; ranges of inputs are ranges of results (``ci95``).

    Attributes:
        energy_kwh: electrical energy, with the overhead of the data centre.
        carbon_kgco2e: CO2 equivalents.
        intensity: of the grid, in kgCO2e/kWh.
        pue: power usage effectiveness that is in the energy; None where a log does not name it.
        formula: how the results follow from the inputs.
        phases: the parts of the training; none where a tracker's file was read.
        cpu_power_w: of all CPUs, in eq. 4.
        ram_power_w: of all memory, in eq. 4.
        notes: what to know about the figures.
    """

    energy_kwh: Quantity
    carbon_kgco2e: Quantity
    intensity: Quantity
    pue: Quantity | None
    formula: str
    phases: tuple[Phase, ...] = ()
    cpu_power_w: Quantity | None = None
    ram_power_w: Quantity | None = None
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        carbon, energy = self.carbon_kgco2e, self.energy_kwh
        return (
            f"<CarbonEstimate {carbon.value:.3g} kgCO2e ({carbon.kind}), "
            f"{energy.value:.3g} kWh ({energy.kind})>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON; quantities carry their kind and source."""
        return {
            "schema": "inspect-cost/carbon/1",
            "energy_kwh": self.energy_kwh.to_dict(),
            "carbon_kgco2e": self.carbon_kgco2e.to_dict(),
            "formula": self.formula,
            "inputs": {
                "phases": [phase.to_dict() for phase in self.phases],
                "intensity": self.intensity.to_dict(),
                "pue": self.pue and self.pue.to_dict(),
                "cpu_power_w": self.cpu_power_w and self.cpu_power_w.to_dict(),
                "ram_power_w": self.ram_power_w and self.ram_power_w.to_dict(),
            },
            "notes": write_notes(self.notes),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        inputs = written["inputs"]
        return cls(
            energy_kwh=Quantity.from_dict(written["energy_kwh"]),
            carbon_kgco2e=Quantity.from_dict(written["carbon_kgco2e"]),
            intensity=Quantity.from_dict(inputs["intensity"]),
            pue=Quantity.or_none(inputs["pue"]),
            formula=written["formula"],
            phases=tuple(Phase.from_dict(phase) for phase in inputs["phases"]),
            cpu_power_w=Quantity.or_none(inputs["cpu_power_w"]),
            ram_power_w=Quantity.or_none(inputs["ram_power_w"]),
            notes=read_notes(written["notes"]),
        )


def estimate_training_carbon(
    gpu: str | Sequence[str] = "",
    hours: Given | Sequence[str] = (),
    *,
    power_w: Given | None = None,
    power_kind: Kind = "estimated",
    power_source: str = "given",
    intensity: Given | None = None,
    zone: str | None = None,
    year: int | None = None,
    pue: Given | None = None,
    cpu_power_w: Given | None = None,
    ram_power_w: Given | None = None,
) -> CarbonEstimate:
    """Estimate the energy and CO2e of a training from its hardware and its duration.

        >>> estimate_training_carbon("4 x P100", "12+10+30").carbon_kgco2e.value
        22.724

    Args:
        gpu: "4 x P100"; or several, one for each phase.
        hours: a number, a range ("52..60" or (52, 60)), a sum of phases ("12+10+30"), with the
            units h or d; or a list of texts, one for each phase.
        power_w: of one GPU, in place of its maker's maximum; a range, or a number.
        power_kind: "measured" if a sensor gave it.
        power_source: the sensor, or who published it.
        intensity: of the grid, in kgCO2e/kWh or with a unit; 0.437 unless given.
        zone: ISO code of the grid's country, instead of an intensity.
        year: of the zone's figure; the most recent unless given.
        pue: power usage effectiveness of the data centre; 1 unless given.
        cpu_power_w: of all CPUs, in eq. 4.
        ram_power_w: of all memory, in eq. 4.

    Raises:
        UsageError: a GPU or zone is unknown or ambiguous, or a number is impossible.
    """
    if power_kind not in POWER_KINDS:
        raise UsageError(
            f"there is no `power_kind` {power_kind!r}",
            'Give "estimated" or "measured".',
            field="power_kind",
        )
    power = None if power_w is None else (power_w, power_kind, power_source)
    phases = _make_phases(gpu, hours, power)
    factor = choose_intensity(intensity, zone, year)
    overhead = Bounds.exactly(1) if pue is None else parse_bounds(pue, "pue", PLAIN, least=1)
    others = [(cpu_power_w, "cpu_power_w"), (ram_power_w, "ram_power_w")]
    cpu, ram = (Bounds.exactly(0) if w is None else parse_bounds(w, n, WATTS) for w, n in others)
    kwh = add_bounds([phase.energy_kwh(cpu, ram) for phase in phases]) * overhead
    kind = _choose_kind(phases, assumed=cpu.high + ram.high > 0)
    plain = pue is None and cpu_power_w is None and ram_power_w is None
    source = ("(n x p_max) x t" if plain else "PUE x (p_c + p_r + g x p_g) x t") + (
        "" if kind == "estimated" else ", with measured power"
    )
    return CarbonEstimate(
        energy_kwh=_make_quantity(kwh, "kWh", kind, source),
        carbon_kgco2e=_make_quantity(
            kwh * factor.kgco2e_per_kwh, "kgCO2e", kind, f"energy x intensity ({factor.source})"
        ),
        intensity=_make_quantity(factor.kgco2e_per_kwh, "kgCO2e/kWh", "reported", factor.source),
        pue=_make_quantity(overhead, "", "reported", NO_PUE if pue is None else "given"),
        formula=EQUATION_6 if plain else EQUATION_4,
        phases=phases,
        cpu_power_w=None if cpu_power_w is None else _make_quantity(cpu, "W", "estimated", "given"),
        ram_power_w=None if ram_power_w is None else _make_quantity(ram, "W", "estimated", "given"),
        notes=_collect_notes(phases),
    )


def combine(estimates: Sequence[CarbonEstimate]) -> CarbonEstimate:
    """Add up the runs of one training; a single run is returned as it is.

    The intensity is then the runs' mean, weighted by energy; the PUE is theirs if they agree.
    """
    if len(estimates) == 1:
        return estimates[0]
    first = estimates[0]
    energy = _add_quantities([run.energy_kwh for run in estimates])
    carbon = _add_quantities([run.carbon_kgco2e for run in estimates])
    same = {run.intensity for run in estimates} == {first.intensity}
    mean = Quantity(
        carbon.value / energy.value, "kgCO2e/kWh", "reported", "mean of the runs, by energy"
    )
    return CarbonEstimate(
        energy_kwh=energy,
        carbon_kgco2e=carbon,
        intensity=first.intensity if same else mean,
        pue=first.pue if len({run.pue for run in estimates}) == 1 else None,
        formula="; ".join(dict.fromkeys(run.formula for run in estimates)),
        phases=tuple(phase for run in estimates for phase in run.phases),
        notes=tuple(dict.fromkeys(note for run in estimates for note in run.notes)),
    )


def _add_quantities(parts: Sequence[Quantity]) -> Quantity:
    """Add quantities of one unit; their ends add up, as ranges of inputs do."""
    total = add_bounds([Bounds(*_get_ends(part)) for part in parts])
    measured = all(part.kind == "measured" for part in parts)
    return _make_quantity(
        total, parts[0].unit, "measured" if measured else "estimated", parts[0].source
    )


def _get_ends(part: Quantity) -> tuple[float, float, float]:
    low, high = part.ci95 or (part.value, part.value)
    return low, part.value, high


def choose_intensity(intensity: Given | None, zone: str | None, year: int | None) -> grid.Intensity:
    """Return the intensity that was given as a number or by its zone, or the default.

    Raises:
        UsageError: both were given, or it is unknown or impossible.
    """
    if intensity is not None and zone is not None:
        raise UsageError(
            "`intensity` and `zone` both set the intensity", "Give one of them.", field="zone"
        )
    if year is not None and zone is None:
        raise UsageError("`year` needs a `zone`", "Give both, or neither.", field="year")
    if intensity is not None:
        return grid.parse_intensity(intensity)
    return grid.DEFAULT if zone is None else grid.find_zone_intensity(zone, year)


def _make_phases(
    gpu: str | Sequence[str],
    hours: Given | Sequence[str],
    power: tuple[Given, Kind, str] | None,
) -> tuple[Phase, ...]:
    """Pair each GPU with its hours; one GPU serves all hours."""
    names = [gpu] if isinstance(gpu, str) else list(gpu)
    several = not isinstance(hours, (str, float, int)) and all(isinstance(h, str) for h in hours)
    times: list[Any] = list(hours) if several else [hours]  # type: ignore[arg-type]  # a sequence
    if not times:
        raise UsageError(
            "no `hours` of training were given", 'Give them, such as "12+10+30".', field="hours"
        )
    if len(names) not in {1, len(times)}:
        raise UsageError(
            f"{len(names)} values of `gpu` for {len(times)} of `hours`",
            "Give one `gpu` for each of the `hours`, in the same order.",
            field="gpu",
        )
    names = names * len(times) if len(names) == 1 else names
    return tuple(_make_phase(*pair, power) for pair in zip(names, times, strict=True))


def _make_phase(gpu: str, hours: Given, power: tuple[Given, Kind, str] | None) -> Phase:
    duration = parse_bounds(hours, "hours", HOURS, positive=True)
    if not gpu.strip() and power is None:
        raise UsageError(
            "neither `gpu` nor `power_w` was given", 'Give one: "4 x P100", or 250.', field="gpu"
        )
    count, name = parse_gpu_count(gpu) if gpu.strip() else (1, "")
    if power is not None:
        given, kind, source = power
        watts = parse_bounds(given, "power_w", WATTS, positive=True)
        return Phase(duration, count, name, Power(watts, kind, source))
    device = find_gpu(name)
    watts = Bounds.exactly(device.max_power_w)
    maximum = Power(watts, "estimated", f"maximum power; {device.source}")
    note = f"{device.name}: {device.note}" if device.note else ""
    return Phase(duration, count, device.name, maximum, note)


def _collect_notes(phases: Sequence[Phase]) -> tuple[Note, ...]:
    texts = dict.fromkeys(phase.note for phase in phases if phase.note)
    return tuple(Note("power", text) for text in texts)


def _choose_kind(phases: Sequence[Phase], *, assumed: bool) -> Kind:
    """Return "measured" only if all power is; PUE and intensity are stated factors either way."""
    measured = all(phase.power.kind == "measured" for phase in phases) and not assumed
    return "measured" if measured else "estimated"


def _make_quantity(bounds: Bounds, unit: str, kind: Kind, source: str) -> Quantity:
    return Quantity(round(bounds.value, 12), unit, kind, source, bounds.range)


def _write_bounds(bounds: Bounds, unit: str, kind: Kind, source: str) -> dict[str, Any]:
    """Return a number or a range as a quantity's plain data, with all its digits."""
    return Quantity(bounds.value, unit, kind, source, bounds.range).to_dict()
