"""The paper recomputed: its two tables, its fronts, and every figure that does not follow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from inspect_cost.carbon.estimate import CarbonEstimate
from inspect_cost.paper import printed
from inspect_cost.paper.counted import PresetCounter, rename_costs
from inspect_cost.paper.fronts import INFERENCE, TRAINING, rank_models, reasons_without_score
from inspect_cost.paper.printed import PrintedQuality
from inspect_cost.paper.results import (
    HOURS_PER_DAY,
    Alternative,
    Discrepancy,
    QualityRow,
    Reproduction,
    TrainingRow,
    Variant,
)
from inspect_cost.publications.publication import Publication
from inspect_cost.values.quantity import Quantity

NOT_MEASURED = "no report with measured energy of a model that has a MOS was given (`energies`)"
NO_REMARK = "Does not follow from its inputs."


def reproduce(
    presets: PresetCounter,
    energies: Mapping[str, Quantity] = MappingProxyType({}),
    publications: Sequence[Publication] = (),
) -> Reproduction:
    """Recompute the paper, counting the published architectures.

    Args:
        presets: counts the published architectures.
        energies: preset or model -> measured energy per second of audio, in J, which make one
            more front.
        publications: further models, which take part in the fronts and not in the tables.

    Raises:
        UsageError: a further model has the name of one of the five.
    """
    known = printed.add_publications(publications)
    rows1 = tuple(TrainingRow(row, _find_training(row.model)) for row in printed.load_table1())
    rows2 = tuple(_make_quality_row(row, presets) for row in printed.load_table2())
    values = {row.printed.model: collect_model_values(row, energies) for row in rows2}
    for entry in publications:
        costs = presets.count(entry.preset, {}).facts() if entry.preset in presets else {}
        energy = energies.get(entry.preset) or energies.get(entry.name)
        values[entry.name] = collect_further_values(entry, costs, energy)
    reasons = reasons_without_score(known)
    what_ifs = [_rank_alternative(given, values, reasons) for given in printed.load_what_ifs()]
    scored = {cost: _has_scores(cost, values) for cost in INFERENCE}
    return Reproduction(
        table1=rows1,
        table2=rows2,
        training=rank_models(TRAINING, values, reasons),
        inference={cost: rank_models(cost, values, reasons) for cost in INFERENCE if scored[cost]},
        unavailable={cost: NOT_MEASURED for cost in INFERENCE if not scored[cost]},
        variants=tuple(_rank_variants(rows2, values, reasons)),
        discrepancies=tuple(_find_discrepancies(rows1, rows2)),
        what_ifs=tuple(what_ifs),
    )


def collect_model_values(row: QualityRow, energies: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return objective -> value of one of the five models."""
    exact = row.exact
    return {
        **row.publication.facts(),
        "params_printed": Quantity(row.printed.params.value, "", "reported", printed.CITATION),
        **rename_costs(exact.facts()),
        **({"energy_j_per_s": energies[exact.preset]} if exact.preset in energies else {}),
    }


def collect_further_values(
    publication: Publication, costs: Mapping[str, Quantity], energy: Quantity | None = None
) -> dict[str, Quantity]:
    """Return objective -> value of a user's own model.

    Args:
        publication: what is published of it.
        costs: its exact costs, if they are counted.
        energy: its measured energy per second of audio, in J.
    """
    facts = publication.facts()
    if "params" in facts:
        facts = {"params_printed": facts["params"], "params_exact": facts["params"], **facts}
    facts |= rename_costs(costs)
    return {**facts, "energy_j_per_s": energy} if energy else facts


def _find_training(model: str) -> CarbonEstimate:
    carbon = printed.load_models()[model].training
    if carbon is None:
        raise AssertionError(f"{model} has no training in the paper's data")
    return carbon


def _make_quality_row(row: PrintedQuality, presets: PresetCounter) -> QualityRow:
    return QualityRow(
        printed=row,
        publication=printed.load_models()[row.model],
        exact=presets.count(row.preset, row.settings),
        variants=tuple(presets.count(preset, {}) for preset in row.variants),
    )


def _has_scores(cost: str, values: Mapping[str, Mapping[str, Quantity]]) -> bool:
    return any(cost in of and "mos_loss" in of for of in values.values())


def _rank_variants(
    rows: Sequence[QualityRow], values: Mapping[str, Any], reasons: Mapping[str, str]
) -> list[Variant]:
    """Rank other sizes of models with a score, each in place of the one in the front."""
    found = []
    for row in rows:
        for other in row.variants if row.printed.mos_loss else ():
            model = row.printed.model
            changed = {**values, model: {**values[model], **rename_costs(other.facts())}}
            found.append(Variant(model, other, rank_models("params_exact", changed, reasons)))
    return found


def _rank_alternative(
    given: printed.WhatIf, values: Mapping[str, Any], reasons: Mapping[str, str]
) -> Alternative:
    publication = printed.load_models()[given.model]
    half = given.mos_ci
    ends = (given.mos - half, given.mos + half) if half else None
    score = Quantity(given.mos, "", "reported", given.remark, ends)
    changed = replace(publication, values={**publication.values, "mos": score})
    loss = changed.mos_loss
    if loss is None:
        raise AssertionError(f"{given.model} has no MOS of the ground truth")
    others = {**values, given.model: {**values[given.model], "mos_loss": loss}}
    return Alternative(
        given=given,
        mos_loss=loss.value,
        training=rank_models(TRAINING, others, reasons),
        inference=rank_models("params_printed", others, reasons),
    )


def _find_discrepancies(
    rows1: Sequence[TrainingRow], rows2: Sequence[QualityRow]
) -> list[Discrepancy]:
    """Return printed figures that differ from recomputed ones when these are rounded alike."""
    compared = [
        (row.printed.model, "Table 1", *pair) for row in rows1 for pair in _pair_training(row)
    ] + [(row.printed.model, "Table 2", *pair) for row in rows2 for pair in _pair_quality(row)]
    return [
        Discrepancy(
            model=model,
            table=table,
            quantity=quantity,
            printed=figure.value,
            found=found,
            remark=printed.load_remarks().get((model, quantity), NO_REMARK),
        )
        for model, table, quantity, figure, found in compared
        if not figure.agrees(found)
    ]


Pair = tuple[str, printed.Figure, float]


def _pair_training(row: TrainingRow) -> list[Pair]:
    of, found = row.printed, row.recomputed
    hours: list[Pair] = [("hours", of.hours, of.days * HOURS_PER_DAY)] if of.days else []
    total_w = found.phases[0].power.watts.value * found.phases[0].count
    return [
        *hours,
        ("p_max_w", of.p_max_w, total_w),
        ("kwh", of.kwh, found.energy_kwh.value),
        ("co2e_kg", of.co2e_kg, found.carbon_kgco2e.value),
    ]


def _pair_quality(row: QualityRow) -> list[Pair]:
    of, loss = row.printed, row.publication.mos_loss
    scores: list[Pair] = [("mos_loss", of.mos_loss, loss.value)] if of.mos_loss and loss else []
    return [*scores, ("params", of.params, row.exact.params)]
