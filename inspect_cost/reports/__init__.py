"""Results as text. A new format is one function, and one entry in `FORMATS`.

Sections turn results into documents, formats turn documents into text: see `document.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from inspect_cost.reports.documents import DOCUMENTS as DOCUMENTS
from inspect_cost.reports.documents import Compose, Presented, has_records
from inspect_cost.reports.formats.csv import write_csv
from inspect_cost.reports.formats.json import write_json
from inspect_cost.reports.formats.markdown import write_markdown
from inspect_cost.reports.formats.notebook import write_notebook
from inspect_cost.reports.formats.terminal import write_terminal
from inspect_cost.reports.view import View as View
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.reports.data import load as load


@dataclass(frozen=True)
class Format:
    """A way to write results.

    Attributes:
        write: from a result, and what it says, to text.
        of_records: whether it takes results that are lists of models, and no others.
        on_command_line: whether commands offer it.
    """

    write: Callable[[Presented], str]
    of_records: bool = False
    on_command_line: bool = True


#: Name -> format; `list_formats` has those that a result can be written in.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "table": Format(lambda shown: write_terminal(shown.document, shown.view)),
        "json": Format(lambda shown: write_json(shown.data)),
        "markdown": Format(lambda shown: write_markdown(shown.document)),
        "csv": Format(lambda shown: write_csv(shown.records), of_records=True),
        "notebook": Format(lambda shown: write_notebook(shown.document), on_command_line=False),
    }
)


def render(
    result: Any,
    format: str = "table",  # noqa: A002 - the option's name
    *,
    formats: Mapping[str, Format] = FORMATS,
    documents: Mapping[str, Compose] = DOCUMENTS,
    spell: Callable[[str], str] | None = None,
    **view: Any,
) -> str:
    """Return a result as text.

    Args:
        result: of a type that `documents` has.
        format: a name in `formats`.
        formats: further formats are entries beside those of `FORMATS`.
        documents: further types of results are entries beside those of `DOCUMENTS`.
        spell: changes each text of what people read, and nothing in data; the command line
            replaces parameters by its options.
        **view: of `View`: depth, exact, width, color.

    Raises:
        UsageError: there is no such format, or the result cannot be written in it.
    """
    check_format(format, list_formats(type(result), formats))
    return formats[format].write(Presented(result, View(**view), documents, spell))


def list_formats(
    kind: type, formats: Mapping[str, Format] = FORMATS, *, on_command_line: bool = False
) -> tuple[str, ...]:
    """Return the names of the formats that results of a type can be written in.

    Args:
        kind: the type.
        formats: name -> format.
        on_command_line: leave out those that are for Python only.
    """
    lists = has_records(kind)
    return tuple(
        name
        for name, entry in formats.items()
        if (lists or not entry.of_records) and (entry.on_command_line or not on_command_line)
    )


def check_format(format: str, names: Sequence[str]) -> None:  # noqa: A002 - the option's name
    """Refuse a format that there is not.

    Raises:
        UsageError: names those that there are.
    """
    if format not in names:
        raise UsageError(
            f"this result has no format {format!r}",
            f"Choose from {', '.join(names)}.",
            field="format",
        )


def __getattr__(name: str) -> object:
    """Import `load` when it is first used: it takes all types of results, showing takes none."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from inspect_cost.reports.data import load  # noqa: PLC0415 - see above

    return load
