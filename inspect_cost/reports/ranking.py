"""A comparison of models as text: a table to read, JSON, CSV."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from io import StringIO
from types import MappingProxyType

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from inspect_cost.ranking.candidates import Candidate
from inspect_cost.ranking.comparison import Comparison
from inspect_cost.ranking.objectives import Objective
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View
from inspect_cost.values.quantity import Quantity
from inspect_cost.values.units import THOUSAND, percent, si

#: Digits and names are not to be cut: a narrower terminal breaks the lines.
WIDTH, UNLIMITED = 120, 100_000
LOSSES = 30  # of the column that folds
MOST_TOLD = 3  # dominators of one model
#: What marks a value that was not measured.
MARKS = MappingProxyType({"measured": "", "counted": "", "estimated": "~", "reported": "*"})


def ranking_table(comparison: Comparison, view: View) -> str:
    """Models by front, with what dominates each and how sure that is."""
    several = len(comparison.ranking.fronts) > 1
    parts: list[RenderableType] = [_table(comparison, losses=several), Text()]
    parts += [Text(line, style=style) for line, style in _remarks(comparison)]
    least = _width(_table(comparison, losses=False)) + several * (LOSSES + 1)
    wide = replace(view, width=max(view.width, WIDTH, least))
    return rendered(Group(*parts), wide)


def _width(table: Table) -> int:
    """Of a table that is not folded."""
    paper = Console(width=UNLIMITED)
    return Measurement.get(paper, paper.options, table).maximum


def _table(comparison: Comparison, *, losses: bool) -> Table:
    ranking = comparison.ranking
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("Front", justify="right", no_wrap=True)
    table.add_column("Model", no_wrap=True)
    for objective in comparison.objectives:
        arrow = "↑" if objective.maximise else "↓"
        table.add_column(f"{objective.name} {arrow}", justify="right", no_wrap=True)
    if ranking.points.uncertain:
        table.add_column("P(optimal)", justify="right", no_wrap=True)
        table.add_column("E(front)", justify="right", no_wrap=True)
    table.add_column("Volume", justify="right", no_wrap=True)
    if losses:
        table.add_column("Dominated by", min_width=LOSSES)
    for candidate in comparison.ranked:
        first = ranking.rank[candidate.name] == 0
        cells = [*_cells(comparison, candidate)]
        if losses:
            cells.append(_losses(comparison, candidate))
        table.add_row(*cells, style="bold" if first else "")
    return table


def _cells(comparison: Comparison, candidate: Candidate) -> Iterator[str]:
    ranking, name = comparison.ranking, candidate.name
    yield str(ranking.rank[name])
    yield name
    for objective in comparison.objectives:
        yield shown(candidate.values[objective.name])
    if ranking.points.uncertain:
        yield percent(ranking.probability_optimal[name] or 0, 1)
        yield f"{ranking.expected_rank[name]:.2f}"
    volume = ranking.hypervolume or 0
    lost = ranking.contributions[name] or 0
    yield percent(lost, volume) if lost else "-"


def _losses(comparison: Comparison, candidate: Candidate) -> str:
    """Who dominates it, and by how much; the others of many are in JSON and CSV."""
    winners = comparison.ranking.dominated_by[candidate.name] or []
    told = [
        f"{winner} ({_margins(comparison.ranking.margin(candidate.name, winner))})"
        for winner in winners[:MOST_TOLD]
    ]
    more = len(winners) - len(told)
    return ", ".join(told) + (f", and {more} more" if more else "")


def _margins(margin: Mapping[str, float]) -> str:
    """By how much a dominating model is better."""
    return ", ".join(f"{name} by {amount(size)}" for name, size in margin.items() if size)


def shown(quantity: Quantity) -> str:
    """A value with its interval and the mark of its kind: "2.80 +- 0.24 *"."""
    text = amount(quantity.value)
    if quantity.ci95:
        half = quantity.half_width
        text += f" ± {si(half) if half >= THOUSAND else f'{half:.2g}'}"
    return f"{text} {MARKS[quantity.kind]}".rstrip()


def amount(number: float) -> str:
    """Four digits: with an SI prefix where it is large."""
    return si(number) if abs(number) >= THOUSAND else f"{number:.4g}"


def _remarks(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """(line, style) of what the table does not say."""
    ranking = comparison.ranking
    for name, reason in ranking.unranked.items():
        yield f"Not ranked: {name}, {reason}.", "yellow"
    if ranking.warning:
        yield ranking.warning, "yellow"
    if ranking.knee is not None:
        yield f"Knee of the front: {ranking.knee}.", "default"
    yield from ((line, "dim") for line in _footnotes(comparison))


def _footnotes(comparison: Comparison) -> Iterator[str]:
    ranking = comparison.ranking
    used = {c.values[o.name].kind for c in comparison.ranked for o in comparison.objectives}
    marks = [f"{MARKS[kind]} {kind}" for kind in sorted(used) if MARKS[kind]]
    bare = [kind for kind in sorted(used) if not MARKS[kind]]
    if marks:
        yield ", ".join(marks) + (f"; others {' or '.join(bare)}." if bare else ".")
    if ranking.reference:
        point = zip(ranking.objectives, ranking.reference, strict=True)
        ends = ", ".join(f"{name} = {amount(value)}" for name, value in point)
        yield f"Volume: share of the dominated volume up to {ends} that would be lost without it."
    if ranking.points.uncertain:
        yield (
            f"P and E by {ranking.draws:,} random draws within the 95 % intervals, "
            f"seed {ranking.seed}."
        )


def ranking_json(comparison: Comparison, view: View) -> str:
    """Everything, machine-readable."""
    del view
    return json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False)


def ranking_csv(comparison: Comparison, view: View) -> str:
    """A line for each model, the unranked last, with empty cells for what is not known."""
    del view
    sink = StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    objectives, ranking = comparison.objectives, comparison.ranking
    writer.writerow(
        [
            *("name", "rank"),
            *(
                heading
                for o in objectives
                for heading in (o.name, f"{o.name}_ci", f"{o.name}_kind")
            ),
            *("probability_optimal", "expected_rank", "hypervolume_contribution"),
            *("dominated_by", "unranked"),
        ]
    )
    for candidate in (*comparison.ranked, *comparison.unranked):
        name = candidate.name
        writer.writerow(
            [
                *(name, ranking.rank[name]),
                *(cell for o in objectives for cell in _csv_cells(candidate, o)),
                *(ranking.probability_optimal[name], ranking.expected_rank[name]),
                ranking.contributions[name],
                ";".join(map(str, ranking.dominated_by[name] or ())),
                ranking.unranked.get(name),
            ]
        )
    return sink.getvalue().rstrip("\n")


def _csv_cells(candidate: Candidate, objective: Objective) -> tuple[object, object, object]:
    quantity = candidate.values.get(objective.name)
    if quantity is None:
        return None, None, None
    return quantity.value, quantity.half_width or None, quantity.kind


#: Format -> renderer.
RANKING_RENDERERS: Mapping[str, Callable[[Comparison, View], str]] = MappingProxyType(
    {"table": ranking_table, "json": ranking_json, "csv": ranking_csv}
)
