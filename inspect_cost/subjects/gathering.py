"""From what a user names to what is ranked: reports, tables, publications, presets of the zoo."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import model_zoo
from inspect_cost.paper.printed import models as papers_models
from inspect_cost.publications.publication import Publication, facts_by_model, load_publications
from inspect_cost.ranking.candidates import Candidate, completed, from_report, merged
from inspect_cost.ranking.tables import READERS, read_candidates
from inspect_cost.subjects.inspection import inspected_preset
from inspect_cost.values.errors import UsageError

PUBLICATIONS = ".toml"


def gathered(
    sources: Sequence[str],
    models: Path | None,
    asked: Collection[str],
    progress: Callable[[float], None],
) -> list[Candidate]:
    """The models that are named, one of each name, with what is published of them.

    Args:
        sources: files, and presets of the zoo, which are counted.
        models: a file of publications; its models are ranked too.
        asked: the objectives to rank by.
        progress: is told how much is done.

    Raises:
        UsageError: one does not exist or is malformed, or two contradict each other in
            what is asked.
    """
    candidates: list[Candidate] = []
    publications = list(load_publications(models)) if models else []
    for done, source in enumerate(sources):
        if source.lower().endswith(PUBLICATIONS):
            publications += load_publications(source)
        else:
            candidates += _found(source)
        progress((done + 1) / len(sources))
    candidates += _as_candidates(publications, {candidate.name for candidate in candidates})
    facts = facts_by_model(papers_models().values())
    return [
        completed(candidate, facts.get(candidate.name)) for candidate in merged(candidates, asked)
    ]


def _found(source: str) -> list[Candidate]:
    path = Path(source)
    return read_candidates(path) if path.suffix or path.exists() else [_counted(source)]


def _counted(name: str) -> Candidate:
    """A preset of the zoo."""
    try:
        preset = model_zoo.preset(name)
    except model_zoo.UnknownModelError as error:
        raise UsageError(
            str(error.args[0]), f"Or give a file: {', '.join(READERS)}, {PUBLICATIONS}."
        ) from None
    return from_report(inspected_preset(preset).to_dict(), f"preset {name}")


def _as_candidates(publications: Sequence[Publication], named: set[str]) -> Iterator[Candidate]:
    """Publications by the names that their models have elsewhere, or else by their own."""
    for publication in publications:
        name = publication.preset if publication.preset in named else publication.name
        yield Candidate(name, publication.facts(), publication.source or publication.name)
