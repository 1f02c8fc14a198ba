"""Figure 3: fronts of 1 - %MOS against training CO2e, and against what inference costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from inspect_cost.publications.publication import Publication
from inspect_cost.ranking.ranking import Ranking, rank
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity

QUALITY = "mos_loss"
TRAINING = "co2e_kg"
#: Objective that is a cost of inference -> its title, in the order shown.
INFERENCE: Mapping[str, str] = {
    "params_printed": "parameters as printed",
    "params_exact": "parameters, exact",
    "macs_per_s": "MACs per second of audio",
    "energy_j_per_s": "measured energy per second of audio",
}
NO_SCORE = "no MOS"

#: Model -> objective -> value.
Values = Mapping[str, Mapping[str, Quantity]]


@dataclass(frozen=True)
class Front:
    """A front of 1 - %MOS against one cost.

    Attributes:
        cost: the objective beside 1 - %MOS.
        ranking: the ranking of all models; those without both values are not ranked.
        unranked: model -> why it is not ranked.
    """

    cost: str
    ranking: Ranking
    unranked: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The models that no other dominates, the best in quality first."""
        return [name for name in self.by_quality if self.ranking.rank[name] == 0]

    @property
    def by_quality(self) -> list[str]:
        """The ranked models, the best in quality first."""
        points = self.ranking.points
        column = points.objectives.index(QUALITY)
        ranked = [str(name) for name in points.labels if name not in self.ranking.unranked]
        return sorted(ranked, key=lambda name: points.values[points.position[name], column])

    @property
    def dominated(self) -> dict[str, list[str]]:
        """Dominated model -> the models that dominate it."""
        found = {name: self.dominators(name) for name in self.by_quality}
        return {name: winners for name, winners in found.items() if winners}

    def dominators(self, name: str) -> list[str]:
        """Return the models that dominate one."""
        return [str(winner) for winner in self.ranking.dominated_by[name] or ()]

    def probability_optimal(self) -> dict[str, float]:
        """Return model -> the probability that none dominates it, given the scores' intervals."""
        return {
            name: float(self.ranking.probability_optimal[name] or 0) for name in self.by_quality
        }


def rank_models(cost: str, values: Values, reasons: Mapping[str, str]) -> Front:
    """Rank models by 1 - %MOS and one cost.

    Args:
        cost: the objective beside quality.
        values: model -> objective -> value.
        reasons: model -> why it has no opinion score.

    Raises:
        UsageError: no model has both values.
    """
    pairs = {name: {key: of.get(key) for key in (cost, QUALITY)} for name, of in values.items()}
    ranking = rank(pairs, objectives=(cost, QUALITY))
    unranked = {
        str(name): reasons.get(str(name)) or NO_SCORE if QUALITY in reason else reason
        for name, reason in ranking.unranked.items()
    }
    if len(unranked) == len(values):
        raise UsageError(f"no model has both {cost} and {QUALITY}", "Give models that have both.")
    return Front(cost, ranking, unranked)


def reasons_without_score(publications: Mapping[str, Publication]) -> dict[str, str]:
    """Return model -> why its publication has no opinion score."""
    return {name: entry.unranked for name, entry in publications.items() if entry.unranked}
