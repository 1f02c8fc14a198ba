"""The cross-check that a person reads: the peers' numbers, then what makes each difference."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.crosschecking.results import Amount, CrossCheck, Explanation, PeerResult
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View
from inspect_cost.values.units import percent

#: Modules named for one reason; the JSON has all.
NAMED_MODULES = 3


def table_text(check: CrossCheck, view: View) -> str:
    """The cross-check as tables for a terminal, plain text where there are no colours."""
    heading = Text(check.title or check.report.model, style="bold")
    parts: list[RenderableType] = [heading, Text(), _totals(check)]
    for result in check.peers:
        parts += [Text(), *_differences(result, check)]
    return rendered(Group(*parts), view)


def _totals(check: CrossCheck) -> Table:
    """Each counter's number in its own unit, and as MACs."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("Counter", no_wrap=True)
    table.add_column("Its number", justify="right", no_wrap=True)
    table.add_column("Unit")
    for name in ("MACs", "Difference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    least = "MACs, at least: see uncounted" if check.report.uncounted else "MACs"
    ours = _digits(check.report.macs)
    table.add_row("inspect-cost", ours, least, ours, "", "")
    for result in check.peers:
        if result.count is None or result.difference is None:
            table.add_row(result.name, "failed", Text("see below", style="dim"))
            continue
        table.add_row(
            result.name,
            _digits(result.count.reported),
            result.unit,
            _digits(result.count.macs),
            _signed(result.difference),
            percent(result.difference, check.report.macs) if result.difference else "",
        )
    return table


def _differences(result: PeerResult, check: CrossCheck) -> Iterator[RenderableType]:
    """One peer's reasons, largest first; the amounts add up to its difference."""
    if result.count is None:
        yield Text(f"{_title(result)}: failed, {result.failure}", style="yellow")
        return
    if not result.difference and not result.explanations and not result.unexplained:
        yield Text(f"{_title(result)}: the same")
    else:
        yield Text(f"{_title(result)}: {_signed(result.difference or 0)} MACs", style="bold")
        yield _reasons(result)
    for note in (*result.count.notes, *_uncounted_by_us(result, check)):
        yield Padding(Text(note, style="dim"), (0, 0, 0, 2))


def _reasons(result: PeerResult) -> Padding:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column()
    for part in result.explanations:
        grid.add_row(_signed(part.macs), _with_places(part))
    if result.unexplained:
        grid.add_row(
            _signed(result.unexplained.macs), _with_places(result.unexplained), style="bold red"
        )
    return Padding(grid, (0, 0, 0, 2))


def _uncounted_by_us(result: PeerResult, check: CrossCheck) -> Iterator[str]:
    if result.unexplained and check.report.uncounted:
        yield f"We have no cost for {', '.join(check.report.uncounted)}."


def _with_places(part: Explanation) -> str:
    return f"{part.reason}, {_places(part.modules)}"


def _places(modules: Sequence[str]) -> str:
    """Where a reason holds: the first few modules, and how many more."""
    named = ", ".join(path or "the model itself" for path in modules[:NAMED_MODULES])
    more = len(modules) - NAMED_MODULES
    if more <= 0:
        return f"in {named}"
    return f"in {named} and {more} more module{'s' if more > 1 else ''}"


def _title(result: PeerResult) -> str:
    return f"{result.name} {result.version}" if result.version else result.name


def _digits(number: Amount) -> str:
    return f"{number:,}"


def _signed(number: Amount) -> str:
    return f"{number:+,}" if number else "0"
