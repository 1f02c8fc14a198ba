"""A ranking: models by front, with what dominates each and how sure that is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from inspect_cost.reports.document import (
    Block,
    Cell,
    Column,
    Document,
    Prose,
    Row,
    Style,
    Table,
)
from inspect_cost.reports.view import View
from inspect_cost.values.units import THOUSAND, percent, si

if TYPE_CHECKING:
    from inspect_cost.ranking.comparison import Comparison
    from inspect_cost.ranking.points import Label
    from inspect_cost.ranking.ranking import Ranking

#: Digits and names are not to be cut: a narrower terminal breaks the lines.
WIDTH = 120
#: Width of the column of dominating models, which is broken into lines.
LOSSES = 30
#: Dominating models named for one; JSON and CSV have all.
NAMED_WINNERS = 3
#: Points shown of a ranking that was made in Python, which may have a million.
MOST_POINTS = 100
#: Kind -> what marks a value that was not measured.
MARKS: Mapping[str, str] = MappingProxyType(
    {"": "", "measured": "", "counted": "", "estimated": "~", "reported": "*"}
)


@dataclass(frozen=True)
class Value:
    """A model's value of an objective.

    Attributes:
        value: the number, whole if it was given so.
        half_width: of its 95 % interval; 0 if there is none.
        kind: how it came about; "" if nobody said.
        unit: "" of a plain number.
    """

    value: float
    half_width: float = 0.0
    kind: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Ranked:
    """A ranking with the values behind it, whoever gave them.

    Attributes:
        ranking: where each model stands.
        find: (model, objective) -> value; None if it is not known.
        most: models that are shown; None for all.
    """

    ranking: "Ranking"
    find: Callable[["Label", str], Value | None]
    most: int | None = None

    @classmethod
    def from_ranking(cls, ranking: "Ranking") -> "Ranked":
        """Take values from the points."""
        points = ranking.points

        def find(label: "Label", objective: str) -> Value | None:
            row, column = points.position[label], points.objectives.index(objective)
            value, half = points.values[row, column], points.half_widths[row, column]
            kind = points.kinds[row][column] or ""
            # A NaN differs from itself.
            return Value(float(value), float(half), kind) if value == value else None  # noqa: PLR0124

        return cls(ranking, find, MOST_POINTS)

    @classmethod
    def from_comparison(cls, comparison: "Comparison") -> "Ranked":
        """Take values from the candidates, which keep whole numbers whole."""
        values = {candidate.name: candidate.values for candidate in comparison.candidates}

        def find(label: "Label", objective: str) -> Value | None:
            given = values[str(label)].get(objective)
            if given is None:
                return None
            return Value(given.value, given.half_width, given.kind, given.unit)

        return cls(comparison.ranking, find)

    @property
    def shown(self) -> "list[Label]":
        """The first of the ranked models."""
        return self.order[: self.most]

    @cached_property
    def order(self) -> "list[Label]":
        """Ranked models, the first front first, then by the first objective."""
        ranking, points = self.ranking, self.ranking.points
        costs = points.costs[:, 0]
        present = [label for label in ranking.names if label not in ranking.unranked]
        return sorted(present, key=lambda n: (ranking.rank[n], costs[points.position[n]]))


def compose_ranking(ranking: "Ranking", view: View) -> Document:
    """Return the document of a ranking."""
    del view
    return compose(Ranked.from_ranking(ranking))


def compose_comparison(comparison: "Comparison", view: View) -> Document:
    """Return the document of a comparison of candidates."""
    del view
    return compose(Ranked.from_comparison(comparison))


def compose(ranked: Ranked) -> Document:
    """Return a table of the ranked models, and remarks."""
    return Document.of("Ranking", [make_table(ranked)], present_remarks(ranked))


def make_table(ranked: Ranked) -> Table:
    """Return a line for each ranked model."""
    rows = tuple(make_row(ranked, label) for label in ranked.shown)
    return Table(tuple(make_columns(ranked)), rows, min_width=WIDTH)


def make_columns(ranked: Ranked) -> Iterator[Column]:
    """Yield the columns: those of objectives with the direction that is better."""
    ranking = ranked.ranking
    yield Column("Front", "right")
    yield Column("Model")
    for name, maximise in zip(ranking.objectives, ranking.points.maximise, strict=True):
        yield Column(f"{name} {'↑' if maximise else '↓'}", "right")
    if ranking.points.uncertain:
        yield Column("P(optimal)", "right")
        yield Column("E(front)", "right")
    yield Column("Volume", "right")
    if len(ranking.fronts) > 1:
        yield Column("Dominated by", wrap=True, min_width=LOSSES)


def make_row(ranked: Ranked, label: "Label") -> Row:
    """Return the line of a model; those of the first front stand out."""
    first = ranked.ranking.rank[label] == 0
    return Row(tuple(make_row_cells(ranked, label)), style="strong" if first else "")


def make_row_cells(ranked: Ranked, label: "Label") -> Iterator[Cell]:
    """Yield a model's front, name, values, chances, share of the volume, and what dominates it."""
    ranking = ranked.ranking
    front, volume = ranking.rank[label], ranking.hypervolume or 0
    yield Cell(str(front), front)
    yield Cell(str(label), label)
    for objective in ranking.objectives:
        yield show(ranked.find(label, objective))
    if ranking.points.uncertain:
        chance, expected = ranking.probability_optimal[label], ranking.expected_rank[label]
        yield Cell(percent(chance or 0, 1), chance)
        yield Cell(f"{expected:.2f}", expected)
    lost = ranking.contributions[label] or 0
    yield Cell(percent(lost, volume) if lost else "-", lost)
    if len(ranking.fronts) > 1:
        yield Cell(describe_losses(ranking, label))


def describe_losses(ranking: "Ranking", label: "Label") -> str:
    """Return what dominates a model, and by how much."""
    winners = ranking.dominated_by[label] or []
    named = [
        f"{winner} ({describe_margins(ranking.margin(label, winner))})"
        for winner in winners[:NAMED_WINNERS]
    ]
    more = len(winners) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def describe_margins(margin: Mapping[str, float]) -> str:
    """Return by how much a dominating model is better."""
    return ", ".join(f"{name} by {write_amount(size)}" for name, size in margin.items() if size)


def show(value: Value | None) -> Cell:
    """Return a value with its interval and the mark of its kind: "2.80 ± 0.24 *"."""
    if value is None:
        return Cell()
    text = write_amount(value.value)
    if half := value.half_width:
        text += f" ± {si(half) if half >= THOUSAND else f'{half:.2g}'}"
    return Cell(f"{text} {MARKS[value.kind]}".rstrip(), value.value, value.unit, value.kind)


def write_amount(number: float) -> str:
    """Return four digits, with an SI prefix if the number is large."""
    return si(number) if abs(number) >= THOUSAND else f"{number:.4g}"


def present_remarks(ranked: Ranked) -> Iterator[Block]:
    """Yield what the table does not say."""
    lines = tuple(Cell(text, style=style) for text, style in list_remarks(ranked))
    if lines:
        yield Prose(lines)


def list_remarks(ranked: Ranked) -> Iterator[tuple[str, Style]]:
    """Yield who is not ranked, how sure the front is, its knee, and footnotes."""
    ranking = ranked.ranking
    if more := len(ranked.order) - len(ranked.shown):
        yield f"{more:,} more are in CSV and JSON.", "remark"
    for name, reason in islice(ranking.unranked.items(), ranked.most):
        yield f"Not ranked: {name}, {reason}.", "warning"
    if ranking.warning:
        yield ranking.warning, "warning"
    if ranking.knee is not None:
        yield f"Knee of the front: {ranking.knee}.", ""
    yield from ((line, "remark") for line in list_footnotes(ranked))


def list_footnotes(ranked: Ranked) -> Iterator[str]:
    """Yield what marks, volumes and probabilities mean."""
    ranking = ranked.ranking
    yield from explain_marks(ranked)
    if ranking.reference:
        point = zip(ranking.objectives, ranking.reference, strict=True)
        ends = ", ".join(f"{name} = {write_amount(value)}" for name, value in point)
        yield f"Volume: share of the dominated volume up to {ends} that would be lost without it."
    if ranking.points.uncertain:
        yield (
            f"P and E by {ranking.draws:,} random draws within the 95 % intervals, "
            f"seed {ranking.seed}."
        )


def explain_marks(ranked: Ranked) -> Iterator[str]:
    """Yield what each mark stands for, if there are any."""
    values = [ranked.find(label, o) for label in ranked.shown for o in ranked.ranking.objectives]
    kinds = sorted({value.kind for value in values if value and value.kind})
    marks = [f"{MARKS[kind]} {kind}" for kind in kinds if MARKS[kind]]
    bare = [kind for kind in kinds if not MARKS[kind]]
    if marks:
        yield ", ".join(marks) + (f"; others {' or '.join(bare)}." if bare else ".")


Record = Mapping[str, Any]


def list_comparison_records(comparison: "Comparison") -> list[Record]:
    """Return a record of each candidate, the unranked last; None for what is not known."""
    return list_records(Ranked.from_comparison(comparison))


def list_ranking_records(ranking: "Ranking") -> list[Record]:
    """Return a record of each point, the unranked last; None for what is not known."""
    return list_records(Ranked.from_ranking(ranking))


def list_records(ranked: Ranked) -> list[Record]:
    """Return a record of each model."""
    return [make_record(ranked, label) for label in (*ranked.order, *ranked.ranking.unranked)]


def make_record(ranked: Ranked, label: "Label") -> Record:
    """Return all that is known of a model's place."""
    ranking = ranked.ranking
    record: dict[str, Any] = {"name": label, "rank": ranking.rank[label]}
    for objective in ranking.objectives:
        value = ranked.find(label, objective)
        record[objective] = value and value.value
        record[f"{objective}_ci"] = (value and value.half_width) or None
        record[f"{objective}_kind"] = value and value.kind
    return record | {
        "probability_optimal": ranking.probability_optimal[label],
        "expected_rank": ranking.expected_rank[label],
        "hypervolume_contribution": ranking.contributions[label],
        "dominated_by": ";".join(map(str, ranking.dominated_by[label] or ())),
        "unranked": ranking.unranked.get(label),
    }
