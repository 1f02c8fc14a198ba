"""What the doctor found, for a person and for a program."""

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.measuring.doctor.doctor import Diagnosis
from inspect_cost.measuring.doctor.examination import Examination
from inspect_cost.measuring.sensors.protocol import Unavailable
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View
from inspect_cost.values.units import si

PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"))


def doctor_table(diagnosis: Diagnosis, view: View) -> str:
    """The sensors with what they did, the missing ones with their fixes, the machine."""
    parts: list[RenderableType] = [verdict(diagnosis), Text()]
    if diagnosis.sensors:
        parts += [sensors(diagnosis), *remarks(diagnosis), Text()]
    for title, status in (
        ("There, but not usable", "refused"),
        ("There, and left out so that nothing counts twice", "contained"),
        ("Not there", "absent"),
    ):
        listed = [why for why in diagnosis.unavailable if why.status == status]
        if listed:
            parts += [Text(title, style="bold"), *reasons(listed), Text()]
    parts += [facts("Machine", diagnosis.machine), Text(), facts("Versions", diagnosis.versions)]
    return rendered(Group(*parts), view)


def doctor_json(diagnosis: Diagnosis, view: View) -> str:
    """All of it, machine-readable."""
    del view
    return json.dumps(diagnosis.to_dict(), indent=2, ensure_ascii=False)


#: Format name -> renderer.
DOCTOR_RENDERERS: Mapping[str, Callable[[Diagnosis, View], str]] = MappingProxyType(
    {"table": doctor_table, "json": doctor_json}
)


def verdict(diagnosis: Diagnosis) -> Text:
    """The answer, first."""
    good = [sensor.domain for sensor in diagnosis.sensors if not sensor.fault]
    if good:
        return Text(f"Energy can be measured here: {', '.join(good)}.", style="bold green")
    return Text(
        "No energy can be measured here; latency and memory can. See the fixes below.",
        style="bold yellow",
    )


def sensors(diagnosis: Diagnosis) -> Table:
    """One row for each sensor that could be opened."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Domain", no_wrap=True)
    table.add_column("Device", no_wrap=True)
    table.add_column("Source", ratio=1)
    for name in ("Period", "Step", "Wraps at", "Read", "Idle", "Load"):
        table.add_column(name, justify="right", no_wrap=True)
    for sensor in diagnosis.sensors:
        table.add_row(
            sensor.domain,
            sensor.device,
            sensor.source,
            short(sensor.period_s, "s"),
            short(sensor.resolution_j, "J"),
            "never" if sensor.range_j is None else short(sensor.range_j, "J"),
            short(sensor.read_s, "s"),
            short(sensor.idle_w, "W"),
            short(sensor.load_w, "W"),
            style="red" if sensor.fault else None,
        )
    return table


def remarks(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """What is wrong with a sensor, and what the columns mean."""
    for sensor in diagnosis.sensors:
        for remark in words(sensor):
            yield Padding(Text(f"{sensor.domain}: {remark}", style="red"), (0, 0, 0, 2))
    yield Text(
        "Period, step and read: as measured. Idle: while this program slept. "
        "Load: products of matrices.",
        style="dim",
    )


def words(sensor: Examination) -> tuple[str, ...]:
    """The fault and the notes of a sensor."""
    fault = (f"not usable: {sensor.fault}",) if sensor.fault else ()
    return (*fault, *sensor.notes)


def reasons(listed: list[Unavailable]) -> Iterator[RenderableType]:
    """Each source with its reason; a fix that several share is given once, after the last."""
    for index, why in enumerate(listed):
        yield Padding(Text(f"{why.source}: {why.reason}"), (0, 0, 0, 2))
        following = listed[index + 1].fix if index + 1 < len(listed) else ""
        if why.fix and why.fix != following:
            yield Padding(Text(why.fix, style="cyan"), (0, 0, 0, 4))


def facts(title: str, values: Mapping[str, Any]) -> Group:
    """Names and values; what is not known says so."""
    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        grid.add_row(f"  {name.removesuffix('_b').replace('_', ' ')}", shown(name, value))
    return Group(Text(title, style="bold"), grid)


def shown(name: str, value: Any) -> str:
    """A fact as text."""
    if value is None:
        return "not known"
    if isinstance(value, Mapping):
        return ", ".join(f"{inner} {value[inner]:g}" for inner in value)
    return si(value, "B") if name.endswith("_b") else str(value)


def short(value: float | None, unit: str) -> str:
    """Three digits and a prefix; "-" where it is not known.

    >>> short(0.00102, "s"), short(262143.3, "J"), short(None, "W")
    ('1.02 ms', '262 kJ', '-')
    """
    if value is None:
        return "-"
    if value >= 1e3:  # noqa: PLR2004 - kilo
        return f"{value / 1e3:.3g} k{unit}"
    scale, prefix = next((p for p in PREFIXES if value >= p[0]), PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}"
