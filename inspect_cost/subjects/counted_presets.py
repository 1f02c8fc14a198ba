"""Presets of the zoo, counted for the paper's tables and fronts."""

from collections.abc import Mapping, Sequence
from typing import Any

import model_zoo
from inspect_cost.paper.counted import Counted
from inspect_cost.paper.standing import Standing, find_standing, list_presets_beside
from inspect_cost.publications.publication import Publication
from inspect_cost.reports.inspection import Report
from inspect_cost.subjects.inspection import inspected_preset
from inspect_cost.values.errors import UsageError


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
            published = model_zoo.preset(preset)
            whole = inspected_preset(published, settings=settings) if settings else None
            self._counted[key] = summarize(inspected_preset(published), whole)
        return self._counted[key]


def summarize(generating: Report, whole: Report | None = None) -> Counted:
    """Return the costs that the paper is about.

    Args:
        generating: the report on a preset.
        whole: the report on its whole architecture, if parts of that do not generate.

    Raises:
        UsageError: the model makes no audio.
    """
    subject, audio = generating.subject, generating.audio
    if audio is None:
        raise UsageError(f"{subject.name} makes no audio", "Name a preset that does.")
    return Counted(
        preset=subject.name,
        title=subject.title,
        params=(whole or generating).count.params,
        params_generating=generating.count.params,
        macs_per_s=audio.per_second(generating.count.macs),
    )


def find_preset_standing(
    model: str,
    presets: CountedPresets,
    *,
    publications: Sequence[Publication] = (),
    own: Counted | None = None,
) -> Standing | None:
    """Return where a model stands, counting the presets beside it, which takes a second.

    Args:
        model: the name of a preset or of a publication.
        presets: counts the presets.
        publications: further models, the user's own.
        own: the model's costs, if they are counted already.

    Returns:
        None if nothing is published of the model.

    Raises:
        UsageError: two publications have one name.
    """
    beside = list_presets_beside(model, publications)
    if beside is None:
        return None
    if own is None and model in presets:
        own = presets.count(model, {})
    return find_standing(
        model,
        own.facts() if own else {},
        {name: presets.count(name, {}).facts() for name in beside if name in presets},
        title=own.title if own else "",
        publications=publications,
    )
