"""Reports of this tool, read back from the files that they were written to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspect_cost.values.errors import UsageError
from inspect_cost.values.text_files import read_text

SCHEMA = "inspect-cost/report/1"
HOW_TO_WRITE = "Write a report with inspect-cost MODEL --format json -o FILE."


def read_report(path: Path) -> dict[str, Any]:
    """The one report in a file, as data.

    Raises:
        UsageError: the file cannot be read, or is no report, or has several.
    """
    reports = parsed_reports(read_text(path), str(path))
    if len(reports) != 1:
        raise UsageError(f"{path} has {len(reports)} reports, not one", HOW_TO_WRITE)
    return reports[0]


def parsed_reports(text: str, path: str) -> list[dict[str, Any]]:
    """One report, or a list of them, as data.

    Raises:
        UsageError: it is not JSON, or something else.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path} is no report of this tool: line {error.lineno} is not JSON ({error.msg})",
            HOW_TO_WRITE,
        ) from None
    reports = content if isinstance(content, list) else [content]
    for report in reports:
        schema = report.get("schema") if isinstance(report, dict) else None
        if schema != SCHEMA:
            raise UsageError(
                f"{path} is no report of this tool: its schema is {schema!r}, not {SCHEMA}",
                HOW_TO_WRITE,
            )
    return reports


@contextmanager
def whole_report(path: Path | str) -> Iterator[None]:
    """What is looked up in a report meanwhile is there, and is what it should be.

    Raises:
        UsageError: it is not.
    """
    try:
        yield
    except UsageError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is no whole report: {error!r}", "Write it once more.") from error
