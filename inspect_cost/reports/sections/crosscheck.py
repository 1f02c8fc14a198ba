"""A cross-check: the peers' numbers, then what makes each difference."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from inspect_cost.reports.document import (
    Block,
    Cell,
    Column,
    Document,
    Heading,
    Notes,
    Prose,
    Row,
    Style,
    Table,
    make_cells,
)
from inspect_cost.reports.view import View
from inspect_cost.values.units import percent

if TYPE_CHECKING:
    from inspect_cost.crosschecking.results import Amount, CrossCheck, Explanation, PeerResult

#: Modules named for one reason; the JSON has all.
NAMED_MODULES = 3


def compose_crosscheck(check: "CrossCheck", view: View) -> Document:
    """Return the document of a cross-check."""
    del view
    title = check.title or check.report.model
    differences = (present_difference(result, check) for result in check.peers)
    return Document.of(title, [Heading(title)], present_totals(check), *differences)


def present_totals(check: "CrossCheck") -> Iterator[Block]:
    """Yield each counter's number in its own unit, and as MACs."""
    columns = (
        Column("Counter"),
        Column("Its number", "right"),
        Column("Unit", wrap=True),
        Column("MACs", "right"),
        Column("Difference", "right"),
        Column("", "right"),
    )
    least = "MACs, at least: see uncounted" if check.report.uncounted else "MACs"
    ours = show(check.report.macs)
    first = Row((Cell("inspect-cost"), ours, Cell(least), ours, Cell(), Cell()))
    yield Table(columns, (first, *(make_row(result, check) for result in check.peers)))


def make_row(result: "PeerResult", check: "CrossCheck") -> Row:
    """Return the line of a peer."""
    name, count, difference = Cell(result.name), result.count, result.difference
    if count is None or difference is None:
        failed = (Cell("failed"), Cell("see below", style="remark"))
        return Row((name, *failed, Cell(), Cell(), Cell()))
    share = percent(difference, check.report.macs) if difference else ""
    reported, macs = Cell(f"{count.reported:,}", count.reported), show(count.macs)
    return Row((name, reported, Cell(result.unit), macs, show_signed(difference), Cell(share)))


def present_difference(result: "PeerResult", check: "CrossCheck") -> Iterator[Block]:
    """Yield one peer's reasons, largest first; the amounts add up to its difference."""
    title = f"{result.name} {result.version}" if result.version else result.name
    if result.count is None:
        yield Prose((Cell(f"{title}: failed, {result.failure}", style="warning"),))
        return
    if not result.difference and not result.explanations and not result.unexplained:
        yield Prose((Cell(f"{title}: the same"),))
    else:
        yield Heading(f"{title}: {write_signed(result.difference or 0)} MACs", level=2)
        yield from present_reasons(result)
    notes = (*result.count.notes, *describe_uncounted(result, check))
    if notes:
        yield Notes(make_cells(*notes, style="remark"), indent=2)


def present_reasons(result: "PeerResult") -> Iterator[Block]:
    """Yield how much each reason makes, and where; last, what has none."""
    rows = [make_reason(part) for part in result.explanations]
    if result.unexplained:
        rows.append(make_reason(result.unexplained, style="error"))
    yield Table((Column(align="right"), Column(wrap=True)), tuple(rows), indent=2)


def make_reason(part: "Explanation", style: Style = "") -> Row:
    """Return the line of a reason."""
    where = f"{part.reason}, {describe_places(part.modules)}"
    return Row((show_signed(part.macs), Cell(where, part.reason)), style)


def describe_uncounted(result: "PeerResult", check: "CrossCheck") -> Iterator[str]:
    """Yield what we have no cost for, if that may be behind an unexplained rest."""
    if result.unexplained and check.report.uncounted:
        yield f"We have no cost for {', '.join(check.report.uncounted)}."


def describe_places(modules: Sequence[str]) -> str:
    """Return the first few modules in which a reason holds, and how many more there are."""
    named = ", ".join(path or "the model itself" for path in modules[:NAMED_MODULES])
    more = len(modules) - NAMED_MODULES
    if more <= 0:
        return f"in {named}"
    return f"in {named} and {more} more module{'s' if more > 1 else ''}"


def show(macs: "Amount") -> Cell:
    """Return a number of MACs with all its digits."""
    return Cell(f"{macs:,}", macs, "MAC", "counted")


def show_signed(macs: "Amount") -> Cell:
    """Return a difference of MACs."""
    return Cell(write_signed(macs), macs, "MAC", "counted")


def write_signed(number: "Amount") -> str:
    """Return a number with its sign; 0 has none."""
    return f"{number:+,}" if number else "0"
