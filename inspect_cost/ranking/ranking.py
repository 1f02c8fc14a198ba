"""Rankings of points by several objectives at once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspect_cost.ranking import measures, sorting
from inspect_cost.ranking.points import Label, LazySequence, PerPoint, Point, Points, read_points
from inspect_cost.ranking.uncertainty import Chances, certain_ranks, simulate_ranks
from inspect_cost.values.errors import UsageError
from inspect_cost.values.presentable import Presentable

#: A front is significant if its members are optimal with at least this probability, and all other
#: points are not optimal with at least this probability.
CONFIDENCE = 0.95
DRAWS = 10_000
#: Names that the representation of a ranking shows.
MOST_NAMED = 5


@dataclass(frozen=True, repr=False)
class Ranking(Presentable):
    """The place of each point on fronts; attributes are computed when they are first read.

    Points are identified by their names, or by their positions if they have none.

    Attributes:
        points: the points as arrays.
        seed: seed of the random draws.
        draws: number of random draws behind `probability_optimal` and `expected_rank`.
        given_reference: the reference point as given, or None for the default.
    """

    points: Points
    seed: int = 0
    draws: int = DRAWS
    given_reference: NDArray[np.float64] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        named = ", ".join(map(str, self.front[:MOST_NAMED]))
        more = ", ..." if len(self.front) > MOST_NAMED else ""
        return (
            f"<Ranking of {len(self.names)} by {', '.join(self.objectives)}; "
            f"front of {len(self.front)}: {named or 'nobody'}{more}>"
        )

    @property
    def names(self) -> Sequence[Label]:
        """The points' names, or their positions."""
        return self.points.labels

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives' names."""
        return self.points.objectives

    @cached_property
    def unranked(self) -> Mapping[Label, str]:
        """Point -> why it is not ranked. A missing value neither wins nor loses."""
        absent = np.flatnonzero(~self.points.present)
        return {self.names[row]: self._explain_absence(row) for row in absent.tolist()}

    def _explain_absence(self, row: int) -> str:
        missing = np.flatnonzero(np.isnan(self.points.values[row]))
        return "no value for " + " and ".join(self.objectives[column] for column in missing)

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        """Positions of the points that are ranked."""
        return np.flatnonzero(self.points.present)

    @cached_property
    def _costs(self) -> NDArray[np.float64]:
        """(ranked points, k), less is better, without NaN, which moocore takes for a winner."""
        present = self.points.present
        return self.points.costs if present.all() else self.points.costs[present]

    @cached_property
    def _ranks(self) -> NDArray[np.intp]:
        """(ranked points,), each one's front."""
        return sorting.assign_ranks(self._costs)

    @cached_property
    def _front(self) -> NDArray[np.intp]:
        """Positions of the first front, without ranking the rest."""
        return self._rows[sorting.find_first_front(self._costs)]

    @cached_property
    def rank(self) -> PerPoint[int | None]:
        """Each point's front, 0 for those that no point dominates; None for unranked points."""
        return self._align(self._ranks)

    @cached_property
    def front(self) -> list[Label]:
        """The points of the first front, duplicates included."""
        return self._label(self._front)  # a list, since an array takes it as an index

    @cached_property
    def fronts(self) -> list[list[Label]]:
        """All fronts: each is the first front of the points that no earlier front has."""
        ends = np.cumsum(np.bincount(self._ranks))
        order = self._rows[np.argsort(self._ranks, kind="stable")]
        return [self._label(part) for part in np.split(order, ends)[:-1]]

    @cached_property
    def dominated_by(self) -> PerPoint[list[Label] | None]:
        """The points that dominate each one: as good in all objectives, and better in one."""
        return PerPoint(LazySequence(self._find_dominators, len(self.names)), self.points)

    def _find_dominators(self, row: int) -> list[Label] | None:
        if not self.points.present[row]:
            return None
        loser = self.points.costs[row]
        as_good = (self._costs <= loser).all(axis=1)
        return self._label(self._rows[as_good & (self._costs < loser).any(axis=1)])

    def margin(self, loser: Label, winner: Label) -> dict[str, float]:
        """Return objective -> how much better the winner is, in the objective's unit."""
        costs, position = self.points.costs, self.points.position
        better = costs[position[loser]] - costs[position[winner]]
        return dict(zip(self.objectives, better.tolist(), strict=True))

    @cached_property
    def _reference(self) -> NDArray[np.float64]:
        """(k,), the reference point, signed such that less is better."""
        if self.given_reference is None:
            return measures.choose_reference(self._costs)
        return np.where(self.points.maximise, -self.given_reference, self.given_reference)

    @cached_property
    def reference(self) -> tuple[float, ...] | None:
        """The point up to which hypervolume is taken; None if nothing is ranked.

        By default it lies beyond the worst values by a tenth of each objective's range.
        """
        if not len(self._costs):
            return None
        signed = np.where(self.points.maximise, -self._reference, self._reference)
        return tuple(signed.tolist())

    @cached_property
    def hypervolume(self) -> float | None:
        """The volume that the front dominates up to `reference`, in the product of the units."""
        if not len(self._costs):
            return None
        return measures.compute_hypervolume(self.points.costs[self._front], self._reference)

    @cached_property
    def contributions(self) -> PerPoint[float | None]:
        """The hypervolume lost without each point alone; 0 for duplicates and dominated points."""
        lost = np.zeros(len(self.names))
        if len(self._costs):
            front = self.points.costs[self._front]
            lost[self._front] = measures.compute_contributions(front, self._reference)
        return self._align(lost[self._rows])

    @cached_property
    def knee(self) -> Label | None:
        """The front's knee, beyond which less of one objective costs much of another.

        None if the front has fewer than three different points, or is nowhere convex.
        """
        row = measures.find_knee(self.points.costs[self._front])
        return None if row is None else self.names[self._front[row]]

    @cached_property
    def _chances(self) -> Chances:
        if not self.points.uncertain or not len(self._costs):
            return certain_ranks(self._ranks)
        half_widths = self.points.half_widths[self._rows]
        return simulate_ranks(self._costs, half_widths, self.draws, self.seed)

    @cached_property
    def probability_optimal(self) -> PerPoint[float | None]:
        """The probability that each point is in the first front, given all intervals.

        By Monte Carlo: values are independent Gaussians; a value without an interval is exact.
        """
        return self._align(self._chances.optimal)

    @cached_property
    def expected_rank(self) -> PerPoint[float | None]:
        """The mean rank of each point, given all intervals; see `probability_optimal`."""
        return self._align(self._chances.expected_rank)

    @cached_property
    def doubtful(self) -> list[Label]:
        """Points that are in or outside the first front without significance."""
        inside = np.isin(self._rows, self._front)
        right = np.where(inside, self._chances.optimal, 1 - self._chances.optimal)
        return self._label(self._rows[right < CONFIDENCE])

    @property
    def significant(self) -> bool:
        """Whether every point is in or outside the first front with 95 % probability."""
        return not self.doubtful

    @property
    def warning(self) -> str | None:
        """The caveat about the front if it is not significant, else None."""
        if self.significant:
            return None
        chance = self.probability_optimal
        doubts = ", ".join(f"{label} ({chance[label]:.0%})" for label in self.doubtful)
        return (
            "The front is not significant. Within the intervals, these may be in it or not "
            f"(probability): {doubts}."
        )

    def _label(self, rows: NDArray[np.intp]) -> list[Label]:
        return [self.names[row] for row in rows.tolist()]

    def _align(self, of_ranked: NDArray[Any]) -> PerPoint[Any]:
        """Return results of ranked points, with None for the others."""
        if len(of_ranked) == len(self.names):
            return PerPoint(of_ranked.tolist(), self.points)
        things: list[Any] = [None] * len(self.names)
        for row, thing in zip(self._rows.tolist(), of_ranked.tolist(), strict=True):
            things[row] = thing
        return PerPoint(things, self.points)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        reference = self.reference
        return {
            "objectives": [
                {"name": name, "direction": "maximise" if maximise else "minimise"}
                for name, maximise in zip(self.objectives, self.points.maximise, strict=True)
            ],
            "front": self.front,
            "fronts": self.fronts,
            "models": [self._describe_point(label) for label in self.names],
            "unranked": dict(self.unranked),
            "knee": self.knee,
            "hypervolume": self.hypervolume,
            "reference": reference and dict(zip(self.objectives, reference, strict=True)),
            "significant": self.significant,
            "warning": self.warning,
            "seed": self.seed,
            "draws": self.draws if self.points.uncertain else 0,
        }

    def _describe_point(self, label: Label) -> dict[str, Any]:
        values = self.points.values[self.points.position[label]].tolist()
        known = [None if math.isnan(value) else value for value in values]
        return {
            "name": label,
            "rank": self.rank[label],
            "values": dict(zip(self.objectives, known, strict=True)),
            "dominated_by": self.dominated_by[label] or [],
            "probability_optimal": self.probability_optimal[label],
            "expected_rank": self.expected_rank[label],
            "hypervolume_contribution": self.contributions[label],
        }


def rank(
    points: Mapping[str, Point] | Sequence[Point] | NDArray[Any],
    /,
    *,
    maximise: bool | Iterable[bool] | Iterable[str] = False,
    uncertainty: Any = None,
    seed: int = 0,
    draws: int = DRAWS,
    names: Sequence[str] | None = None,
    objectives: Sequence[str] | None = None,
    reference: Sequence[float] | None = None,
) -> Ranking:
    """Rank points by two objectives or more.

        >>> ranking = rank({"a": (1, 0.5), "b": (2, 0.9), "c": (3, 0.8)}, maximise=[False, True])
        >>> ranking.front, ranking.rank["c"], ranking.dominated_by["c"]
        (['a', 'b'], 1, ['b'])

    A point with a missing value (None or NaN) is not ranked; an infinite value is the largest.

    Args:
        points: an (n, k) array, n sequences of k values, or a mapping from names to either such a
            sequence or a mapping from objectives to values. A value is a number, a pair (number,
            half-width of its 95 % interval), a `Quantity` or None.
        maximise: for each objective whether more is better; or one answer for all; or the names
            of the objectives to maximise.
        uncertainty: half-widths of 95 % intervals: (n, k), or (k,) for all points, or by name;
            they replace those in the values.
        seed: seed of the random draws behind probabilities.
        draws: number of draws; a probability's standard error is at most `0.5 / sqrt(draws)`.
        names: names of the points, if they are not a mapping; positions by default.
        objectives: names of the objectives, if the points do not have them.
        reference: (k,), the point up to which hypervolume is taken.

    Raises:
        UsageError: the points are not a table of numbers, or the arguments do not fit them.
    """
    if isinstance(points, Mapping) and objectives is not None:
        points = {name: _select(point, objectives) for name, point in points.items()}
    read = read_points(
        points, maximise=maximise, uncertainty=uncertainty, names=names, objectives=objectives
    )
    if draws < 1:
        raise UsageError(f"`draws` is {draws}", "Give at least 1.", field="draws")
    if seed < 0:
        raise UsageError(f"`seed` is {seed}, below 0", "Give 0 or more.", field="seed")
    given = None if reference is None else np.asarray(reference, dtype=np.float64)
    if given is not None and given.shape != read.maximise.shape:
        raise UsageError(
            f"`reference` has the shape {given.shape}",
            "Give one value for each objective.",
            field="reference",
        )
    return Ranking(read, seed, draws, given)


def _select(point: Point, objectives: Sequence[str]) -> Point:
    """Return the values of some objectives, in their order."""
    if isinstance(point, Mapping):
        return [point.get(name) for name in objectives]
    return point
