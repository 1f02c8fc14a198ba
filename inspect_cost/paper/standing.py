"""One model beside the paper's: its training carbon, its quality, its place on the fronts."""

from collections.abc import Mapping, Sequence

from inspect_cost.paper import printed
from inspect_cost.paper.fronts import NO_SCORE, TRAINING, Front, rank_models, reasons_without_score
from inspect_cost.paper.places import Place, Standing
from inspect_cost.paper.reproduction import collect_further_values
from inspect_cost.publications.publication import Publication
from inspect_cost.values.quantity import Quantity

#: Objectives beside quality.
COSTS = (TRAINING, "params_exact", "macs_per_s")


def list_presets_beside(model: str, publications: Sequence[Publication] = ()) -> list[str] | None:
    """Return the presets whose exact costs `find_standing` compares a model with.

    Args:
        model: the name of a preset or of a publication.
        publications: further models, the user's own.

    Returns:
        Names, some of which may not be in the zoo; None if nothing is published of the model.

    Raises:
        UsageError: two publications have one name.
    """
    known = printed.add_publications(publications)
    subject = _find_subject(model, known)
    if subject is None:
        return None
    others = [entry for entry in known.values() if entry is not subject]
    return [entry.preset for entry in others if entry.preset and entry.mos_loss]


def find_standing(
    model: str,
    facts: Mapping[str, Quantity],
    others: Mapping[str, Mapping[str, Quantity]],
    *,
    title: str = "",
    publications: Sequence[Publication] = (),
) -> Standing | None:
    """Return where a model stands among the paper's five and further publications.

    Args:
        model: the name of a preset or of a publication. Another size of a model that the paper
            has, such as wavegan-65536, stands in its place, with its scores and its training.
        facts: the model's exact costs, "params" and "macs_per_s", as far as they are known.
        others: preset -> its exact costs, for the presets that `list_presets_beside` names.
        title: the model's name in print, if it may be another size of a published model.
        publications: further models, the user's own.

    Returns:
        None if nothing is published of the model.

    Raises:
        UsageError: two publications have one name.
    """
    known = printed.add_publications(publications)
    subject = _find_subject(model, known)
    if subject is None:
        return None
    values = {
        name: collect_further_values(entry, others.get(entry.preset, {}))
        for name, entry in known.items()
        if entry is not subject
    }
    values[subject.name] = collect_further_values(subject, facts)
    reasons = reasons_without_score(known)
    fronts = [rank_models(cost, values, reasons) for cost in COSTS]
    another_size = model not in {subject.name, subject.preset}
    return Standing(
        model=(another_size and title) or subject.title,
        beside=tuple(name for name in known if name != subject.name),
        training=subject.training,
        mos_loss=subject.mos_loss,
        places=tuple(_find_place(subject.name, values, found) for found in fronts),
        unranked="" if subject.mos_loss else subject.unranked or NO_SCORE,
        source=subject.source,
    )


def _find_subject(model: str, known: dict[str, Publication]) -> Publication | None:
    """Return the publication of that name, of that preset, or of a preset of another size."""
    if model in known:
        return known[model]
    sizes = {
        size: row.model for row in printed.load_table2() for size in (row.preset, *row.variants)
    }
    of_preset = {entry.preset: entry.name for entry in known.values() if entry.preset}
    name = of_preset.get(model) or sizes.get(model)
    return known[name] if name else None


def _find_place(name: str, values: dict[str, dict[str, Quantity]], found: Front) -> Place:
    value = values[name].get(found.cost)
    of = len(found.by_quality)
    if name in found.unranked:
        return Place(found.cost, value, None, of, reason=found.unranked[name])
    return Place(
        cost=found.cost,
        value=value,
        rank=found.ranking.rank[name],
        of=of,
        dominated_by=tuple(found.dominators(name)),
        probability_optimal=found.ranking.probability_optimal[name],
    )
