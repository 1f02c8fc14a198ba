"""What the doctor found: sensors and what they did, missing ones and their fixes, the machine."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from inspect_cost.reports.document import (
    Block,
    Cell,
    Column,
    Document,
    Heading,
    Notes,
    Prose,
    Row,
    Table,
    make_cells,
)
from inspect_cost.reports.view import View
from inspect_cost.values.units import si

if TYPE_CHECKING:
    from inspect_cost.measuring.doctor.doctor import Diagnosis
    from inspect_cost.measuring.doctor.examination import Examination

#: Title -> status of the sources that are listed under it.
UNUSED = {
    "There, but not usable": "refused",
    "There, and left out so that nothing counts twice": "contained",
    "Not there": "absent",
}
LEGEND = (
    "Period, step and read: as measured. Idle: while this program slept. "
    "Load: products of matrices."
)
PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"))
KILO = 1e3


def compose_diagnosis(diagnosis: "Diagnosis", view: View) -> Document:
    """Return the document of a diagnosis."""
    del view
    return Document.of(
        "Energy sensors",
        present_verdict(diagnosis),
        present_sensors(diagnosis),
        *(present_unused(diagnosis, title, status) for title, status in UNUSED.items()),
        present_facts("Machine", diagnosis.machine),
        present_facts("Versions", diagnosis.versions),
    )


def present_verdict(diagnosis: "Diagnosis") -> Iterator[Block]:
    """Yield the answer, first."""
    good = [sensor.domain for sensor in diagnosis.sensors if not sensor.fault]
    if good:
        cell = Cell(f"Energy can be measured here: {', '.join(good)}.", style="good")
    else:
        text = "No energy can be measured here; latency and memory can. See the fixes below."
        cell = Cell(text, style="caution")
    yield Prose((cell,))


def present_sensors(diagnosis: "Diagnosis") -> Iterator[Block]:
    """Yield a row for each sensor that could be opened, what is wrong with it, and a legend."""
    if not diagnosis.sensors:
        return
    names = (Column("Domain"), Column("Device"), Column("Source", wrap=True))
    figures = ("Period", "Step", "Wraps at", "Read", "Idle", "Load")
    columns = (*names, *(Column(name, "right") for name in figures))
    yield Table(columns, tuple(map(make_row, diagnosis.sensors)))
    remarks = [f"{s.domain}: {text}" for s in diagnosis.sensors for text in list_remarks(s)]
    if remarks:
        yield Notes(make_cells(*remarks, style="bad"), indent=2)
    yield Prose((Cell(LEGEND, style="remark"),))


def make_row(sensor: "Examination") -> Row:
    """Return the line of a sensor."""
    wraps = Cell("never") if sensor.range_j is None else show(sensor.range_j, "J")
    cells = (
        *make_cells(sensor.domain, sensor.device, sensor.source),
        show(sensor.period_s, "s"),
        show(sensor.resolution_j, "J"),
        wraps,
        show(sensor.read_s, "s"),
        show(sensor.idle_w, "W"),
        show(sensor.load_w, "W"),
    )
    return Row(cells, style="bad" if sensor.fault else "")


def list_remarks(sensor: "Examination") -> tuple[str, ...]:
    """Return the fault and the notes of a sensor."""
    fault = (f"not usable: {sensor.fault}",) if sensor.fault else ()
    return (*fault, *sensor.notes)


def present_unused(diagnosis: "Diagnosis", title: str, status: str) -> Iterator[Block]:
    """Yield sources with reasons; a fix that several share is given once, after the last."""
    listed = [why for why in diagnosis.unavailable if why.status == status]
    if not listed:
        return
    yield Heading(title, level=2)
    following = [why.fix for why in listed[1:]] + [""]
    for why, next_fix in zip(listed, following, strict=True):
        yield Notes(make_cells(f"{why.source}: {why.reason}"), indent=2)
        if why.fix and why.fix != next_fix:
            yield Notes(make_cells(why.fix, style="advice"), indent=4)


def present_facts(title: str, values: Mapping[str, Any]) -> Iterator[Block]:
    """Yield names and values; of what is not known, that it is not."""
    yield Heading(title, level=2)
    rows = [Row((Cell(shorten(name)), show_fact(name, value))) for name, value in values.items()]
    yield Table((Column(wrap=True), Column(wrap=True)), tuple(rows), indent=2)


def shorten(name: str) -> str:
    """Return the name of a fact without its unit."""
    return name.removesuffix("_b").replace("_", " ")


def show_fact(name: str, value: Any) -> Cell:
    """Return a fact."""
    if value is None:
        return Cell("not known")
    if isinstance(value, Mapping):
        return Cell(", ".join(f"{inner} {value[inner]:g}" for inner in value))
    if name.endswith("_b"):
        return Cell(si(value, "B"), value, "B")
    return Cell(str(value), value)


def show(value: float | None, unit: str) -> Cell:
    """Return a measured figure; "-" if it is not known."""
    if value is None:
        return Cell("-")
    return Cell(write_number(value, unit), value, unit, "measured")


def write_number(value: float, unit: str) -> str:
    """Return three digits and a prefix.

    >>> write_number(0.00102, "s"), write_number(262143.3, "J")
    ('1.02 ms', '262 kJ')
    """
    if value >= KILO:
        return f"{value / KILO:.3g} k{unit}"
    scale, prefix = next((p for p in PREFIXES if value >= p[0]), PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}"
