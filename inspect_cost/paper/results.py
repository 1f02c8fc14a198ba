"""What recomputing the paper gives: rows, fronts and discrepancies, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inspect_cost.carbon.estimate import CarbonEstimate
from inspect_cost.paper.counted import Counted
from inspect_cost.paper.fronts import Front
from inspect_cost.paper.printed import CITATION, PrintedQuality, PrintedTraining, WhatIf
from inspect_cost.publications.publication import Publication
from inspect_cost.values.presentable import Presentable

SCHEMA = "inspect-cost/paper/1"
HOURS_PER_DAY = 24


@dataclass(frozen=True)
class TrainingRow:
    """A row of Table 1, printed and recomputed by eq. 6."""

    printed: PrintedTraining
    recomputed: CarbonEstimate

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data, for JSON."""
        of, found = self.printed, self.recomputed
        recomputed_h = round(of.days * HOURS_PER_DAY, 6) if of.days else of.hours.value
        return {
            "model": of.model,
            "hardware": of.hardware,
            "p_max_w": of.p_max_w.value,
            "hours": {"printed": of.hours.value, "recomputed": recomputed_h},
            "kwh": found.energy_kwh.value,
            "kwh_printed": of.kwh.value,
            "co2e_kg": {"printed": of.co2e_kg.value, "recomputed": found.carbon_kgco2e.value},
            "kind": found.carbon_kgco2e.kind,
            "formula": found.formula,
        }


@dataclass(frozen=True)
class QualityRow:
    """A row of Table 2, printed, recomputed by eq. 8, and counted.

    Attributes:
        printed: the row.
        publication: its inputs.
        exact: the published architecture.
        variants: other published sizes.
    """

    printed: PrintedQuality
    publication: Publication
    exact: Counted
    variants: tuple[Counted, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data; parameters are numbers, not millions."""
        of, loss, exact = self.printed, self.publication.mos_loss, self.exact
        scores = {key: value.to_dict() for key, value in self.publication.values.items()}
        return {
            "model": of.model,
            "mos": scores.get("mos"),
            "mos_truth": scores.get("mos_truth"),
            "mos_loss": {
                "printed": of.mos_loss and of.mos_loss.value,
                "recomputed": loss and loss.value,
                "ci95": loss and loss.ci95,
            },
            "unranked": self.publication.unranked or None,
            "params": {"printed": of.params.value, "exact": exact.params},
            "params_generating": exact.params_generating,
            "macs_per_s": exact.macs_per_s,
            "preset": exact.preset,
            "variants": [describe_size(variant) for variant in self.variants],
        }


def describe_size(counted: Counted) -> dict[str, Any]:
    """Return another published size as plain data."""
    return {
        "preset": counted.preset,
        "title": counted.title,
        "params": counted.params,
        "macs_per_s": counted.macs_per_s,
    }


@dataclass(frozen=True)
class Discrepancy:
    """A printed figure that does not follow.

    Attributes:
        model: the model that the figure describes.
        table: where it is printed.
        quantity: "co2e_kg", "hours", "mos_loss" or "params".
        printed: the printed number.
        found: the number that the paper's own inputs, or the published architecture, give.
        remark: a possible reason.
    """

    model: str
    table: str
    quantity: str
    printed: float
    found: float
    remark: str


@dataclass(frozen=True)
class Alternative:
    """Fronts that would follow from another opinion score than the paper's."""

    given: WhatIf
    mos_loss: float
    training: Front
    inference: Front

    def to_dict(self) -> dict[str, Any]:
        """Return the score and its fronts as plain data."""
        fronts = {"training": self.training.names, "params_printed": self.inference.names}
        return {**vars(self.given), "mos_loss": self.mos_loss, "fronts": fronts}


@dataclass(frozen=True)
class Variant:
    """A front of inference with another published size of one model."""

    model: str
    counted: Counted
    front: Front

    def to_dict(self) -> dict[str, Any]:
        """Return the front as plain data."""
        return {
            "model": self.model,
            "preset": self.counted.preset,
            "params_exact": self.front.names,
            "dominated_by": self.front.dominators(self.model),
        }


@dataclass(frozen=True)
class Reproduction(Presentable):
    """The paper, recomputed.

    Attributes:
        table1: training.
        table2: quality and parameters.
        training: the front against training CO2e.
        inference: cost of inference -> front.
        unavailable: cost of inference -> why it has no front.
        variants: fronts by exact parameters with other published sizes.
        discrepancies: printed figures that do not follow.
        what_ifs: results of other scores, none of them the paper's.
    """

    table1: tuple[TrainingRow, ...]
    table2: tuple[QualityRow, ...]
    training: Front
    inference: Mapping[str, Front]
    unavailable: Mapping[str, str]
    variants: tuple[Variant, ...]
    discrepancies: tuple[Discrepancy, ...]
    what_ifs: tuple[Alternative, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON; the schema's name is in it."""
        return {
            "schema": SCHEMA,
            "source": CITATION,
            "table1": [row.to_dict() for row in self.table1],
            "table2": [row.to_dict() for row in self.table2],
            "fronts": self._describe_fronts(),
            "discrepancies": [dict(vars(found)) for found in self.discrepancies],
            "what_ifs": [other.to_dict() for other in self.what_ifs],
        }

    def _describe_fronts(self) -> dict[str, Any]:
        fronts = {"training": self.training, **self.inference}
        return {
            "training": self.training.names,
            "inference": {cost: front.names for cost, front in self.inference.items()},
            "unavailable": dict(self.unavailable),
            "unranked": dict(self.training.unranked),
            "dominated_by": {name: front.dominated for name, front in fronts.items()},
            "probability_optimal": {
                name: front.probability_optimal() for name, front in fronts.items()
            },
            "variants": [variant.to_dict() for variant in self.variants],
        }
