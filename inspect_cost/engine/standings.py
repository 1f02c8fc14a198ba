"""Where an inspected model stands beside the paper's, whose presets are counted for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import model_zoo
from inspect_cost.counting.options import CountOptions
from inspect_cost.paper.counted import Counted
from inspect_cost.paper.places import Standing
from inspect_cost.paper.standing import find_standing as find_paper_standing
from inspect_cost.paper.standing import list_presets_beside
from inspect_cost.publications.publication import Publication
from inspect_cost.reports.inspection import Inspection
from inspect_cost.subjects import resolve
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import Identity, Output
from inspect_cost.values.policy import DENSE


class CountedPresets:
    """Presets of the zoo, each counted when it is first asked for, and once."""

    def __init__(self) -> None:
        self._counted: dict[tuple[object, ...], Counted] = {}

    def __contains__(self, preset: object) -> bool:
        return preset in model_zoo.PRESETS

    def count(self, preset: str, settings: Mapping[str, Any]) -> Counted:
        """Count a preset, or return its count.

        Args:
            preset: its name.
            settings: those of the published architecture, if parts of it do not generate.
        """
        key = (preset, *sorted(settings.items()))
        if key not in self._counted:
            self._counted[key] = _count(preset, settings)
        return self._counted[key]


def find_standing(
    inspection: Inspection, presets: CountedPresets, options: CountOptions
) -> Standing | None:
    """Return where an inspected model stands; None if nothing is published of it.

    Args:
        inspection: of the model.
        presets: counts the presets beside it, which takes a second.
        options: how the model was counted; other costs than the published model's are not ranked.
    """
    identity = inspection.identity
    if identity.name not in presets:
        return None
    published = not identity.settings and options.policy == DENSE
    own = _summarize(inspection) if published else None
    return find_preset_standing(identity.name, presets, own=own)


def find_preset_standing(
    model: str,
    presets: CountedPresets,
    *,
    own: Counted | None = None,
    publications: Sequence[Publication] = (),
) -> Standing | None:
    """Return where a preset or a published model stands; None if nothing is published of it.

    Args:
        model: name of the preset or of the publication.
        presets: counts the presets.
        own: the model's costs, if they are counted already.
        publications: further models, the user's own.

    Raises:
        UsageError: two publications have one name.
    """
    beside = list_presets_beside(model, publications)
    if beside is None:
        return None
    if own is None and model in presets:
        own = presets.count(model, {})
    return find_paper_standing(
        model,
        own.facts() if own else {},
        {name: presets.count(name, {}).facts() for name in beside if name in presets},
        title=own.title if own else "",
        publications=publications,
    )


def _count(preset: str, settings: Mapping[str, Any]) -> Counted:
    generating = resolve(preset)
    phase = generating.phases[0]
    count = generating.count(phase, CountOptions())
    whole = count
    if settings:
        subject = resolve(preset, settings=settings)
        whole = subject.count(subject.phases[0], CountOptions())
    return _counted(generating.identity, phase.output, whole.params, count.params, count.macs)


def _summarize(inspection: Inspection) -> Counted:
    count = inspection.count
    output = inspection.output
    return _counted(inspection.identity, output, count.params, count.params, count.macs)


def _counted(
    identity: Identity, output: Output | None, params: int, params_generating: int, macs: int
) -> Counted:
    if output is None or not output.is_audio:
        raise UsageError(f"{identity.name} makes no audio", "Name a preset that does.")
    return Counted(
        preset=identity.name,
        title=identity.title,
        params=params,
        params_generating=params_generating,
        macs_per_s=output.per_unit(macs),
    )
