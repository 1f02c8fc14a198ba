"""Candidates ranked by chosen objectives, as data for tables, files and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inspect_cost.ranking.candidates import Candidate, available
from inspect_cost.ranking.objectives import Objective
from inspect_cost.ranking.points import Label
from inspect_cost.ranking.ranking import DRAWS, Ranking, rank
from inspect_cost.values.errors import UsageError
from inspect_cost.values.given import HOW_TO_WRITE
from inspect_cost.values.quantity import Quantity

SCHEMA = "inspect-cost/ranking/1"


@dataclass(frozen=True)
class Comparison:
    """Candidates, what they were ranked by, and where they stand.

    Attributes:
        candidates: in the order given; the ranking's points.
        objectives: what they are ranked by.
        ranking: of the candidates, by name.
    """

    candidates: Sequence[Candidate]
    objectives: Sequence[Objective]
    ranking: Ranking

    def by_rank(self) -> list[Candidate]:
        """The ranked candidates, the first front first, then by the first objective."""
        position = self.ranking.points.position
        costs = self.ranking.points.costs[:, 0]
        ranked = [c for c in self.candidates if self.ranking.rank[c.name] is not None]
        return sorted(ranked, key=lambda c: (self.ranking.rank[c.name], costs[position[c.name]]))

    def left(self) -> list[Candidate]:
        """The candidates that could not be ranked."""
        return [c for c in self.candidates if c.name in self.ranking.unranked]

    def losses(self, loser: Label) -> dict[Label, dict[str, float]]:
        """Dominating model -> objective -> by how much it is better, in the objective's unit."""
        winners = self.ranking.dominated_by[loser] or []
        return {winner: self.ranking.margin(loser, winner) for winner in winners}

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; the schema's name is in it."""
        ranking = self.ranking
        reference = ranking.reference
        return {
            "schema": SCHEMA,
            "objectives": [_objective_dict(objective) for objective in self.objectives],
            "front": ranking.front,
            "fronts": ranking.fronts,
            "models": [
                self._model_dict(candidate) for candidate in (*self.by_rank(), *self.left())
            ],
            "unranked": dict(ranking.unranked),
            "knee": ranking.knee,
            "hypervolume": ranking.hypervolume,
            "reference": reference and dict(zip(ranking.objectives, reference, strict=True)),
            "significant": ranking.significant,
            "warning": ranking.warning,
            "seed": ranking.seed,
            "draws": ranking.draws if ranking.points.uncertain else 0,
        }

    def _model_dict(self, candidate: Candidate) -> dict[str, Any]:
        name, ranking = candidate.name, self.ranking
        return {
            "name": name,
            "rank": ranking.rank[name],
            "values": {o.name: _quantity_dict(candidate, o) for o in self.objectives},
            "dominated_by": [
                {"name": winner, "better_by": margin}
                for winner, margin in self.losses(name).items()
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


def compared(
    candidates: Sequence[Candidate],
    objectives: Sequence[Objective],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Comparison:
    """Rank candidates by some objectives.

    Raises:
        UsageError: nobody has one of the objectives, or no model has all of them.
    """
    names = [objective.name for objective in objectives]
    known = available(candidates)
    nobodys = [name for name in names if name not in known]
    said = next((c.words[name] for name in nobodys for c in candidates if name in c.words), None)
    if said:
        raise UsageError(f"{said} is not a number", HOW_TO_WRITE)
    if nobodys:
        raise UsageError(
            f"no model has {', '.join(nobodys)}", f"There are {', '.join(known) or 'no values'}."
        )
    points: Mapping[str, list[Quantity | None]] = {
        c.name: [c.values.get(name) for name in names] for c in candidates
    }
    up = [objective.maximise for objective in objectives]
    ranking = rank(points, objectives=names, maximise=up, seed=seed, draws=draws)
    if len(ranking.unranked) == len(candidates):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in ranking.unranked.items())
        raise UsageError(
            f"no model has values of all of {', '.join(names)} ({reasons})",
            "Give what is missing in a CSV or TOML file of the same names.",
        )
    return Comparison(candidates, objectives, ranking)
