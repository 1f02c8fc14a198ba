"""The paper recomputed: its two tables, its fronts, and every figure that does not follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from inspect_cost.carbon.estimate import CarbonEstimate
from inspect_cost.paper import printed
from inspect_cost.paper.counted import Counted, PresetCounter, exact_costs
from inspect_cost.paper.fronts import INFERENCE, TRAINING, Front, front, reasons_without_score
from inspect_cost.paper.printed import PrintedQuality, PrintedTraining
from inspect_cost.publications.publication import Publication
from inspect_cost.values.quantity import Quantity

HOURS_PER_DAY = 24


@dataclass(frozen=True)
class TrainingRow:
    """A row of Table 1, printed and recomputed by eq. 6."""

    printed: PrintedTraining
    recomputed: CarbonEstimate


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


@dataclass(frozen=True)
class Discrepancy:
    """A printed figure that does not follow.

    Attributes:
        model: whose figure it is.
        table: where it is printed.
        quantity: "co2e_kg", "hours", "mos_loss" or "params".
        printed: as printed.
        found: what the paper's own inputs, or the published architecture, give.
        remark: what may be behind it.
    """

    model: str
    table: str
    quantity: str
    printed: float
    found: float
    remark: str


@dataclass(frozen=True)
class Alternative:
    """What would follow from another opinion score than the paper's."""

    given: printed.WhatIf
    mos_loss: float
    training: Front
    inference: Front


@dataclass(frozen=True)
class Variant:
    """A front of inference with another published size of one model."""

    model: str
    counted: Counted
    front: Front


@dataclass(frozen=True)
class Reproduction:
    """The paper, recomputed.

    Attributes:
        table1: training.
        table2: quality and parameters.
        training: the front against training CO2e.
        inference: way to tell the cost -> front.
        unavailable: way to tell the cost -> why there is no such front.
        variants: fronts by exact parameters with other published sizes.
        discrepancies: printed figures that do not follow.
        what_ifs: what other scores would give, none of them the paper's.
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
        """Return everything as plain data, for JSON."""
        from inspect_cost.paper.as_data import as_data  # noqa: PLC0415 - which takes these types

        return as_data(self)


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
    known = printed.with_further(publications)
    rows1 = tuple(TrainingRow(row, _carbon(row.model)) for row in printed.table1())
    rows2 = tuple(_quality_row(row, presets) for row in printed.table2())
    values = {row.printed.model: model_values(row, energies) for row in rows2}
    for entry in publications:
        costs = presets.count(entry.preset, {}).facts() if entry.preset in presets else {}
        energy = energies.get(entry.preset) or energies.get(entry.name)
        values[entry.name] = further_values(entry, costs, energy)
    reasons = reasons_without_score(known)
    scored = {cost: _scored(cost, values) for cost in INFERENCE}
    return Reproduction(
        table1=rows1,
        table2=rows2,
        training=front(TRAINING, values, reasons),
        inference={cost: front(cost, values, reasons) for cost in INFERENCE if scored[cost]},
        unavailable={cost: NOT_MEASURED for cost in INFERENCE if not scored[cost]},
        variants=tuple(_variants(rows2, values, reasons)),
        discrepancies=tuple(_discrepancies(rows1, rows2)),
        what_ifs=tuple(_alternative(given, values, reasons) for given in printed.what_ifs()),
    )


NOT_MEASURED = "no report with measured energy of a model that has a MOS was given (--reports)"


def model_values(row: QualityRow, energies: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return objective -> value of one of the five models."""
    exact = row.exact
    return {
        **row.publication.facts(),
        "params_printed": Quantity(row.printed.params.value, "", "reported", printed.CITATION),
        **exact_costs(exact.facts()),
        **({"energy_j_per_s": energies[exact.preset]} if exact.preset in energies else {}),
    }


def further_values(
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
    facts |= exact_costs(costs)
    return {**facts, "energy_j_per_s": energy} if energy else facts


def _carbon(model: str) -> CarbonEstimate:
    carbon = printed.models()[model].training
    if carbon is None:
        raise AssertionError(f"{model} has no training in the paper's data")
    return carbon


def _quality_row(row: PrintedQuality, presets: PresetCounter) -> QualityRow:
    return QualityRow(
        printed=row,
        publication=printed.models()[row.model],
        exact=presets.count(row.preset, row.settings),
        variants=tuple(presets.count(preset, {}) for preset in row.variants),
    )


def _scored(cost: str, values: Mapping[str, Mapping[str, Quantity]]) -> bool:
    return any(cost in of and "mos_loss" in of for of in values.values())


def _variants(
    rows: Sequence[QualityRow], values: Mapping[str, Any], reasons: Mapping[str, str]
) -> list[Variant]:
    """Other sizes of models that have a score, in place of the one in the front."""
    found = []
    for row in rows:
        for other in row.variants if row.printed.mos_loss else ():
            model = row.printed.model
            changed = {**values, model: {**values[model], **exact_costs(other.facts())}}
            found.append(Variant(model, other, front("params_exact", changed, reasons)))
    return found


def _alternative(
    given: printed.WhatIf, values: Mapping[str, Any], reasons: Mapping[str, str]
) -> Alternative:
    publication = printed.models()[given.model]
    half = given.mos_ci
    ends = (given.mos - half, given.mos + half) if half else None
    score = Quantity(given.mos, "", "reported", given.remark, ends)
    changed = replace(publication, values={**publication.values, "mos": score})
    loss = changed.mos_loss
    if loss is None:
        raise AssertionError(f"{given.model} has no MOS of the ground truth")
    others = {**values, given.model: {**values[given.model], "mos_loss": loss}}
    return Alternative(
        given,
        loss.value,
        front(TRAINING, others, reasons),
        front("params_printed", others, reasons),
    )


def _discrepancies(rows1: Sequence[TrainingRow], rows2: Sequence[QualityRow]) -> list[Discrepancy]:
    """Each printed figure beside what gives it, where the two differ when rounded alike."""
    compared = [
        (row.printed.model, "Table 1", *pair) for row in rows1 for pair in _training_pairs(row)
    ] + [(row.printed.model, "Table 2", *pair) for row in rows2 for pair in _quality_pairs(row)]
    return [
        Discrepancy(
            *(model, table, quantity, figure.value, found),
            printed.remarks().get((model, quantity), "Does not follow from its inputs."),
        )
        for model, table, quantity, figure, found in compared
        if not figure.agrees(found)
    ]


Pair = tuple[str, printed.Figure, float]


def _training_pairs(row: TrainingRow) -> list[Pair]:
    of, found = row.printed, row.recomputed
    hours: list[Pair] = [("hours", of.hours, of.days * HOURS_PER_DAY)] if of.days else []
    total_w = found.phases[0].power.watts.value * found.phases[0].count
    return [
        *hours,
        ("p_max_w", of.p_max_w, total_w),
        ("kwh", of.kwh, found.energy_kwh.value),
        ("co2e_kg", of.co2e_kg, found.carbon_kgco2e.value),
    ]


def _quality_pairs(row: QualityRow) -> list[Pair]:
    of, loss = row.printed, row.publication.mos_loss
    scores: list[Pair] = [("mos_loss", of.mos_loss, loss.value)] if of.mos_loss and loss else []
    return [*scores, ("params", of.params, row.exact.params)]
