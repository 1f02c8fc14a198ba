"""Candidates from what a user names: reports, tables, publications, presets of the zoo."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import model_zoo
from inspect_cost.paper.printed import load_models
from inspect_cost.publications.publication import Publication, collect_facts, load_publications
from inspect_cost.ranking import tables
from inspect_cost.ranking.candidates import Candidate, complete_with_publications, merge_candidates
from inspect_cost.reports.data import load_inspections
from inspect_cost.reports.facts import find_facts
from inspect_cost.subjects.inspection import inspected_preset
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Output

REPORTS, PUBLICATIONS = ".json", ".toml"
#: Endings of the names of files that can be ranked.
SUFFIXES = (REPORTS, *tables.SUFFIXES, PUBLICATIONS)


def gather_candidates(
    sources: Sequence[str],
    models: Path | None,
    asked: Collection[str],
    progress: Callable[[float], None],
) -> list[Candidate]:
    """Return the named models, one candidate for each name, with what is published of them.

    Args:
        sources: files, and presets of the zoo, which are counted.
        models: a file of publications; its models are ranked too.
        asked: the objectives to rank by.
        progress: called with the share that is done.

    Raises:
        UsageError: a source does not exist or is malformed, or two contradict each other in the
            objectives asked for.
    """
    candidates: list[Candidate] = []
    publications = list(load_publications(models)) if models else []
    for done, source in enumerate(sources):
        if source.lower().endswith(PUBLICATIONS):
            publications += load_publications(source)
        else:
            candidates += _candidates_of(source)
        progress((done + 1) / len(sources))
    candidates += _convert(publications, {candidate.name for candidate in candidates})
    facts = collect_facts(load_models().values())
    return [
        complete_with_publications(candidate, facts.get(candidate.name))
        for candidate in merge_candidates(candidates, asked)
    ]


def _candidates_of(source: str) -> list[Candidate]:
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix == REPORTS:
        return read_reports(path)
    if suffix in tables.SUFFIXES:
        return tables.read_table(path)
    if suffix or path.exists():
        raise UsageError(
            f"cannot rank {source}: it is neither a known kind of file nor a preset",
            f"Give a file that ends in {', '.join(SUFFIXES)}, or the name of a preset.",
        )
    return [_count_preset(source)]


def read_reports(path: Path) -> list[Candidate]:
    """Return the models in a JSON file of one report or a list of them.

    Raises:
        UsageError: the file cannot be read, or is not a complete report.
    """
    return [
        Candidate(found.identity.name, found.facts(str(path)), str(path))
        for found in load_inspections(path)
    ]


def _count_preset(name: str) -> Candidate:
    try:
        preset = model_zoo.preset(name)
    except model_zoo.UnknownModelError as error:
        raise UsageError(str(error.args[0]), f"Or give a file: {', '.join(SUFFIXES)}.") from None
    report, origin = inspected_preset(preset), f"preset {name}"
    audio = report.audio
    output = Output(audio.samples_generated, AUDIO, audio.sample_rate) if audio else None
    return Candidate(name, find_facts(report.count, output, None, origin), origin)


def _convert(publications: Sequence[Publication], named: set[str]) -> Iterator[Candidate]:
    """Convert publications; each has the name of its preset if that is ranked, else its own."""
    for publication in publications:
        name = publication.preset if publication.preset in named else publication.name
        yield Candidate(name, publication.facts(), publication.source or publication.name)
