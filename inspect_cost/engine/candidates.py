"""From what a user names to what is ranked: reports, tables, publications, subjects to count."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from inspect_cost.counting.options import CountOptions
from inspect_cost.paper.printed import load_models
from inspect_cost.publications.publication import Publication, collect_facts, load_publications
from inspect_cost.ranking import tables
from inspect_cost.ranking.candidates import Candidate, complete_with_publications, merge_candidates
from inspect_cost.reports.data import load_inspections
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.subjects import Request, Subject, resolve_all
from inspect_cost.values.progress import Progress, ignore_progress

REPORTS, PUBLICATIONS = ".json", ".toml"


def gather_candidates(
    sources: Sequence[str],
    request: Request,
    asked: Collection[str],
    models: Path | None = None,
    progress: Progress = ignore_progress,
) -> list[Candidate]:
    """Gather the models that are named, one of each name, with what is published of them.

    Args:
        sources: files (.json reports, .csv and .tsv tables, .toml publications), and subjects,
            which are counted.
        request: parameters of the subjects, such as inputs; each takes those that fit it.
        asked: the objectives to rank by.
        models: a file of publications; its models are ranked too.
        progress: called with the share that is done.

    Raises:
        UsageError: a source does not exist or is malformed, or two contradict each other in
            what is asked.
    """
    readers = {source: _reader(source) for source in sources}
    names = [source for source, reader in readers.items() if reader is None]
    subjects = dict(zip(names, resolve_all(names, request), strict=True))
    publications = list(load_publications(models)) if models else []
    candidates: list[Candidate] = []
    for done, (source, reader) in enumerate(readers.items(), 1):
        if source.lower().endswith(PUBLICATIONS):
            publications += load_publications(source)
        else:
            candidates += reader(Path(source)) if reader else [_count(subjects[source])]
        progress(done / len(readers))
    candidates += _as_candidates(publications, {candidate.name for candidate in candidates})
    facts = collect_facts(load_models().values())
    merged = merge_candidates(candidates, asked)
    return [complete_with_publications(each, facts.get(each.name)) for each in merged]


def _reader(source: str) -> Callable[[Path], list[Candidate]] | None:
    """Return what reads a file of this name; None for a subject."""
    suffix = Path(source).suffix.lower()
    if suffix == REPORTS:
        return _read_reports
    if suffix in tables.SUFFIXES:
        return tables.read_table
    return (lambda _: []) if suffix == PUBLICATIONS else None


def _read_reports(path: Path) -> list[Candidate]:
    return [
        Candidate(found.identity.name, found.facts(str(path)), str(path))
        for found in load_inspections(path)
    ]


def _count(subject: Subject) -> Candidate:
    phases = tuple(
        PhaseResult(phase, subject.count(phase, CountOptions())) for phase in subject.phases
    )
    found = Inspection(subject.identity, phases, provenance={})
    origin = f"counted: {subject.identity.name}"
    return Candidate(subject.identity.name, found.facts(origin), origin)


def _as_candidates(publications: Sequence[Publication], named: set[str]) -> Iterator[Candidate]:
    """Yield publications by the names that their models have elsewhere, or else by their own."""
    for publication in publications:
        name = publication.preset if publication.preset in named else publication.name
        yield Candidate(name, publication.facts(), publication.source or publication.name)
