"""The whole report on a subject: of each of its phases the count and the measurements."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.report import CostReport
from inspect_cost.reports.document import Block, Cell, Document, Fact, Heading
from inspect_cost.reports.sections.count import (
    present_footnotes,
    present_totals,
    present_uncounted,
)
from inspect_cost.reports.sections.law import present_law
from inspect_cost.reports.sections.measurement import present_measurement
from inspect_cost.reports.sections.standing import present_standing
from inspect_cost.reports.sections.tree import present_tree
from inspect_cost.reports.sections.waste import present_foldable, present_waste
from inspect_cost.reports.view import View
from inspect_cost.values.identity import Identity, Output, Phase
from inspect_cost.values.units import exact

if TYPE_CHECKING:
    from inspect_cost.measuring.measurement import Measurement
    from inspect_cost.reports.inspection import Inspection, PhaseResult

Part = Iterable[Block]
NOT_MEASURED = Fact("Measured", Cell("nothing"), "left out by `measure=False`")


def compose_inspection(inspection: "Inspection", view: View) -> Document:
    """Return the document of an inspection, with a heading for each phase if it has several."""
    identity, phases = inspection.identity, inspection.phases
    parts: list[Part] = []
    if len(phases) > 1:
        parts.append([Heading(identity.title, lines=tuple(describe_origin(identity)))])
    for result in phases:
        parts.append([make_heading(identity, result.phase)])
        parts.extend(present_phase(result, view))
    if inspection.standing:
        parts.append(present_standing(inspection.standing))
    parts.append(present_footnotes(collect_notes(phases), phases[0].count.policy))
    return Document.of(identity.title, *parts)


def compose_count(count: CostReport, view: View) -> Document:
    """Return the document of a count that belongs to no inspection."""
    parts = (present_totals(count), *present_details(count, (), None, view))
    footnotes = present_footnotes(count.notes, count.policy)
    return Document.of(count.model, [Heading(count.model)], *parts, footnotes)


def make_heading(identity: Identity, phase: Phase) -> Heading:
    """Return the heading of a phase; that of the only one is the subject's."""
    cropped = describe_cropping(phase.output) if phase.output else None
    remarks = [phase.description, describe_duration(phase.output) if phase.output else ""]
    lines = () if phase.name else describe_origin(identity)
    return Heading(
        phase.name or identity.title,
        remarks=tuple(filter(None, remarks)),
        lines=(*lines, *([cropped] if cropped else [])),
        level=2 if phase.name else 1,
    )


def describe_origin(identity: Identity) -> Iterator[Cell]:
    """Yield where a model was published, and what differs from that."""
    if identity.source:
        yield Cell(identity.source, style="remark")
    for name, value in identity.settings.items():
        yield Cell(f"{name} = {value}, not as published", style="warning")


def describe_duration(output: Output) -> str:
    """Return how long the audio is that was asked for; "" of other outputs."""
    if not output.is_audio:
        return ""
    requested = output.amount if output.requested is None else output.requested
    return f"({requested / output.rate:.3g} s at {output.rate:,} Hz)"


def describe_cropping(output: Output) -> Cell | None:
    """Return why the call makes more than was asked for; None if it does not."""
    if output.requested is None or output.requested == output.amount:
        return None
    asked, made = exact(output.requested), exact(output.amount)
    if output.is_audio:
        text = (
            f"{asked} samples cannot be made: it generates {made} ({output.units:.4g} s) "
            "and crops them."
        )
    else:
        text = f"{asked} of {output.unit} cannot be made: it makes {made} and drops the rest."
    return Cell(text, output.amount, style="warning")


def present_phase(result: "PhaseResult", view: View) -> Iterator[Part]:
    """Yield the parts of one phase."""
    rest = () if result.measurements else (NOT_MEASURED,)
    yield present_totals(result.count, result.phase.output, result.weights, *rest)
    yield from present_details(result.count, result.measurements, result.law, view)


def present_details(
    count: CostReport,
    measurements: "Iterable[Measurement]",
    law: CostLaw | None,
    view: View,
) -> Iterator[Part]:
    """Yield what follows the totals."""
    yield present_waste(count)
    yield present_foldable(count)
    yield from map(present_measurement, measurements)
    yield present_tree(count, view)
    yield present_uncounted(count)
    if law:
        yield present_law(law)


def collect_notes(phases: "tuple[PhaseResult, ...]") -> Iterator[str]:
    """Yield the notes of all counts, each with its phase's name if there are several."""
    for result in phases:
        for note in result.count.notes:
            yield f"{result.phase.name}: {note}" if len(phases) > 1 else note
