"""A comparison: candidates ranked by chosen objectives, as data for tables and files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inspect_cost.ranking.candidates import Candidate, list_objectives
from inspect_cost.ranking.objectives import Objective
from inspect_cost.ranking.points import Label
from inspect_cost.ranking.ranking import DRAWS, Ranking, rank
from inspect_cost.values.errors import UsageError
from inspect_cost.values.given import HOW_TO_WRITE
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.quantity import Quantity

SCHEMA = "inspect-cost/ranking/1"


@dataclass(frozen=True)
class Comparison(Presentable):
    """Candidates, the objectives they were ranked by, and where they stand.

    Attributes:
        candidates: the points of the ranking, in the order given.
        objectives: one for each of the ranking's columns.
        ranking: of the candidates, by name.
    """

    candidates: Sequence[Candidate]
    objectives: Sequence[Objective]
    ranking: Ranking

    @property
    def ranked(self) -> list[Candidate]:
        """The ranked candidates, the first front first, then by the first objective."""
        position = self.ranking.points.position
        costs = self.ranking.points.costs[:, 0]
        ranked = [c for c in self.candidates if self.ranking.rank[c.name] is not None]
        return sorted(ranked, key=lambda c: (self.ranking.rank[c.name], costs[position[c.name]]))

    @property
    def unranked(self) -> list[Candidate]:
        """The candidates that could not be ranked, since a value is missing."""
        return [c for c in self.candidates if c.name in self.ranking.unranked]

    def find_margins(self, loser: Label) -> dict[Label, dict[str, float]]:
        """Return dominating model -> objective -> how much better it is, in that one's unit."""
        winners = self.ranking.dominated_by[loser] or []
        return {winner: self.ranking.margin(loser, winner) for winner in winners}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, with the name of its schema."""
        models = (*self.ranked, *self.unranked)
        return {
            "schema": SCHEMA,
            **self.ranking.to_dict(),
            "objectives": [_objective_dict(objective) for objective in self.objectives],
            "models": [self._model_dict(candidate) for candidate in models],
        }

    def _model_dict(self, candidate: Candidate) -> dict[str, Any]:
        name, ranking = candidate.name, self.ranking
        return {
            "name": name,
            "rank": ranking.rank[name],
            "values": {o.name: _quantity_dict(candidate, o) for o in self.objectives},
            "dominated_by": [
                {"name": winner, "better_by": margin}
                for winner, margin in self.find_margins(name).items()
            ],
            "probability_optimal": ranking.probability_optimal[name],
            "expected_rank": ranking.expected_rank[name],
            "hypervolume_contribution": ranking.contributions[name],
            "origin": candidate.origin,
        }


def _quantity_dict(candidate: Candidate, objective: Objective) -> dict[str, Any] | None:
    quantity = candidate.values.get(objective.name)
    return None if quantity is None else quantity.to_dict()


def _objective_dict(objective: Objective) -> dict[str, Any]:
    return {
        "name": objective.name,
        "title": objective.title,
        "unit": objective.unit or None,
        "direction": "maximise" if objective.maximise else "minimise",
    }


def compare(
    candidates: Sequence[Candidate],
    objectives: Sequence[Objective],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Comparison:
    """Rank candidates by some objectives.

    Raises:
        UsageError: no candidate has one of the objectives, or none has all of them.
    """
    names = [objective.name for objective in objectives]
    _check_known(candidates, names)
    points: Mapping[str, list[Quantity | None]] = {
        c.name: [c.values.get(name) for name in names] for c in candidates
    }
    ranking = rank(
        points,
        objectives=names,
        maximise=[objective.maximise for objective in objectives],
        seed=seed,
        draws=draws,
    )
    if len(ranking.unranked) == len(candidates):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in ranking.unranked.items())
        raise UsageError(
            f"no model has values of all of {', '.join(names)} ({reasons})",
            "Give the missing values in a CSV or TOML file, under the same names.",
        )
    return Comparison(candidates, objectives, ranking)


def _check_known(candidates: Sequence[Candidate], names: Sequence[str]) -> None:
    """Refuse objectives of which no candidate has a value."""
    known = list_objectives(candidates)
    unknown = [name for name in names if name not in known]
    for name in unknown:
        text = next((c.words[name] for c in candidates if name in c.words), None)
        if text:
            raise UsageError(f"{text} is not a number", HOW_TO_WRITE, field=name)
    if unknown:
        raise UsageError(
            f"no model has {', '.join(unknown)}",
            f"There are {', '.join(known) or 'no values'}.",
            field=unknown[0],
        )
