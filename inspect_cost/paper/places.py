"""A model's place beside others, as values: light enough for every report to hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from inspect_cost.carbon.estimate import CarbonEstimate
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.quantity import Quantity


@dataclass(frozen=True)
class Place:
    """A model's place on one front.

    Attributes:
        cost: the objective beside 1 - %MOS.
        value: the model's own; None if unknown.
        rank: 0 if no model dominates it; None if it is not ranked.
        of: the number of ranked models.
        dominated_by: the models at least as good in both objectives, and better in one.
        probability_optimal: the probability that none dominates it, given the scores' intervals.
        reason: why it is not ranked; "" if it is.
    """

    cost: str
    value: Quantity | None
    rank: int | None
    of: int
    dominated_by: tuple[str, ...] = ()
    probability_optimal: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            **vars(self),
            "value": self.value and self.value.to_dict(),
            "dominated_by": list(self.dominated_by),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(
            cost=written["cost"],
            value=Quantity.or_none(written["value"]),
            rank=written["rank"],
            of=written["of"],
            dominated_by=tuple(written["dominated_by"]),
            probability_optimal=written["probability_optimal"],
            reason=written["reason"],
        )


@dataclass(frozen=True, repr=False)
class Standing(Presentable):
    """A model's standing beside others.

    Attributes:
        model: its name in print.
        beside: the others' names.
        training: emissions of its training; None if not published.
        mos_loss: 1 - %MOS; None without opinion scores.
        places: one on the training front, and one on each front of inference.
        unranked: why it is on no front; "" if it is on one.
        source: the publication of its facts.
    """

    model: str
    beside: tuple[str, ...]
    training: CarbonEstimate | None
    mos_loss: Quantity | None
    places: tuple[Place, ...]
    unranked: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "model": self.model,
            "beside": list(self.beside),
            "training": self.training and self.training.to_dict(),
            "mos_loss": self.mos_loss and self.mos_loss.to_dict(),
            "places": [place.to_dict() for place in self.places],
            "unranked": self.unranked or None,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        training = written["training"]
        return cls(
            model=written["model"],
            beside=tuple(written["beside"]),
            training=training and CarbonEstimate.from_dict(training),
            mos_loss=Quantity.or_none(written["mos_loss"]),
            places=tuple(Place.from_dict(place) for place in written["places"]),
            unranked=written["unranked"] or "",
            source=written["source"],
        )

    def __repr__(self) -> str:
        ranks = ", ".join(
            f"{place.cost} unranked"
            if place.rank is None
            else f"{place.cost} front {place.rank + 1}"
            for place in self.places
        )
        return f"<Standing {self.model} beside {len(self.beside)}: {self.unranked or ranks}>"
