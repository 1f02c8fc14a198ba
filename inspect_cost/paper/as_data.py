"""The reproduction as plain data, for JSON."""

from typing import Any

from inspect_cost.paper.fronts import Front
from inspect_cost.paper.printed import CITATION
from inspect_cost.paper.reproduction import (
    HOURS_PER_DAY,
    Alternative,
    QualityRow,
    Reproduction,
    TrainingRow,
)
from inspect_cost.values.provenance import describe_run

SCHEMA = "inspect-cost/paper/1"


def as_data(paper: Reproduction) -> dict[str, Any]:
    """Everything, with names that say units; parameters are numbers, not millions."""
    return {
        "schema": SCHEMA,
        "source": CITATION,
        "table1": [_training(row) for row in paper.table1],
        "table2": [_quality(row) for row in paper.table2],
        "fronts": _fronts(paper),
        "discrepancies": [dict(vars(found)) for found in paper.discrepancies],
        "what_ifs": [_what_if(other) for other in paper.what_ifs],
        "provenance": describe_run(),
    }


def _training(row: TrainingRow) -> dict[str, Any]:
    of, found = row.printed, row.recomputed
    return {
        "model": of.model,
        "hardware": of.hardware,
        "p_max_w": of.p_max_w.value,
        "hours": {
            "printed": of.hours.value,
            "recomputed": round(of.days * HOURS_PER_DAY, 6) if of.days else of.hours.value,
        },
        "kwh": found.energy_kwh.value,
        "kwh_printed": of.kwh.value,
        "co2e_kg": {"printed": of.co2e_kg.value, "recomputed": found.carbon_kgco2e.value},
        "kind": found.carbon_kgco2e.kind,
        "formula": found.formula,
    }


def _quality(row: QualityRow) -> dict[str, Any]:
    of, loss, exact = row.printed, row.publication.mos_loss, row.exact
    scores = {key: value.to_dict() for key, value in row.publication.values.items()}
    return {
        "model": of.model,
        "mos": scores.get("mos"),
        "mos_truth": scores.get("mos_truth"),
        "mos_loss": {
            "printed": of.mos_loss and of.mos_loss.value,
            "recomputed": loss and loss.value,
            "ci95": loss and loss.ci95,
        },
        "unranked": row.publication.unranked or None,
        "params": {"printed": of.params.value, "exact": exact.params},
        "params_generating": exact.params_generating,
        "macs_per_s": exact.macs_per_s,
        "preset": exact.preset,
        "variants": [
            {"preset": v.preset, "title": v.title, "params": v.params, "macs_per_s": v.macs_per_s}
            for v in row.variants
        ],
    }


def _fronts(paper: Reproduction) -> dict[str, Any]:
    all_fronts = {"training": paper.training, **paper.inference}
    return {
        "training": paper.training.names,
        "inference": {cost: front.names for cost, front in paper.inference.items()},
        "unavailable": dict(paper.unavailable),
        "unranked": dict(paper.training.unranked),
        "dominated_by": {name: _dominated(front) for name, front in all_fronts.items()},
        "probability_optimal": {
            name: front.probability_optimal() for name, front in all_fronts.items()
        },
        "variants": [
            {
                "model": variant.model,
                "preset": variant.counted.preset,
                "params_exact": variant.front.names,
                "dominated_by": variant.front.dominators(variant.model),
            }
            for variant in paper.variants
        ],
    }


def _dominated(front: Front) -> dict[str, list[str]]:
    """Dominated model -> the models that dominate it."""
    found = {name: front.dominators(name) for name in front.by_quality}
    return {name: winners for name, winners in found.items() if winners}


def _what_if(other: Alternative) -> dict[str, Any]:
    return {
        **vars(other.given),
        "mos_loss": other.mos_loss,
        "fronts": {"training": other.training.names, "params_printed": other.inference.names},
    }
