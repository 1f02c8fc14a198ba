"""What came of the comparison, as a page of the documentation: Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from published.comparison import (
    Verdict,
    count_causes,
    count_verdicts,
    has_equal_params,
    judge,
    list_causes,
)
from published.counting import WITHOUT_VALUES
from published.row import Row

#: Rows that are listed one by one in the end.
LISTED = (Verdict.NEAR, Verdict.OTHER, Verdict.UNEXPLAINED)


def write_summary(rows: Sequence[Row]) -> str:
    """Return what the page says: agreement, causes, and what is special about some rows."""
    tables = {name: [r for r in rows if r.published.table == name] for name in _list_names(rows)}
    lines = [*_write_agreement(tables), "", *_write_causes(tables), "", *_write_notes(rows)]
    return "\n".join(lines) + "\n"


def _list_names(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.published.table for row in rows))


def _write_agreement(tables: dict[str, list[Row]]) -> Iterator[str]:
    """Yield a line for each table: how many of its rows agree, and how."""
    yield from _head("table", "rows", *Verdict, "parameters equal")
    for name, rows in tables.items():
        verdicts = count_verdicts(rows)
        known = [row for row in rows if not row.counted.error and row.published.params]
        equal = f"{sum(map(has_equal_params, known)):,} of {len(known):,}" if known else "-"
        yield _line(name, len(rows), *(verdicts[verdict] for verdict in Verdict), equal)


def _write_causes(tables: dict[str, list[Row]]) -> Iterator[str]:
    """Yield a line for each cause of a difference: the rows that it is part of, by table."""
    yield from _head("why the published number is another", "table", "rows", "mostly")
    for name, rows in tables.items():
        mostly = Counter(causes[0] for row in rows if (causes := list_causes(row)))
        for cause, n in count_causes(rows).most_common():
            yield _line(cause, name, n, mostly[cause])


def _write_notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what is special about some rows."""
    formed = Counter(row.counted.form for row in rows if row.counted.form)
    for form, n in formed.items():
        yield f"* Models that were {form}: {n:,} rows."
    built = [row for row in rows if row.counted.built not in {"", WITHOUT_VALUES}]
    yield f"* Built with weights, {len(built):,} rows: {_name_models(built)}."
    real = [row for row in rows if row.counted.ran_on == "real values"]
    yield f"* Run on real values, {len(real):,} rows: {_name_models(real)}."
    for verdict in LISTED:
        found = [row for row in rows if judge(row) is verdict]
        if found:
            yield f"* {verdict.capitalize()}: {'; '.join(map(_describe, found))}."
    failures = dict.fromkeys(row.counted.error for row in rows if row.counted.error)
    for error in failures:
        failed = [row for row in rows if row.counted.error == error]
        yield f"* Not counted, {len(failed):,} rows ({error}): {_name_models(failed)}."
    heads = [r for r in rows if not has_equal_params(r) and judge(r) is not Verdict.OTHER]
    if heads:
        yield f"* Equal MACs, but other parameters: {_name_models(heads)}."


def _name_models(rows: Iterable[Row]) -> str:
    names = (f"{row.published.model}" for row in rows)
    return ", ".join(dict.fromkeys(names)) or "none"


def _describe(row: Row) -> str:
    published, counted = row.published, row.counted
    name = f"{published.model} ({published.setting})"
    unit = 1 if published.unit == "GMAC" else 2
    return f"{name}, {published.total} published, {unit * counted.macs / 10**9:.2f} counted"


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield f"|{'---|' * len(names)}"


def _line(*cells: str | int) -> str:
    texts = (f"{cell:,}" if isinstance(cell, int) else cell for cell in cells)
    return f"| {' | '.join(texts)} |"
