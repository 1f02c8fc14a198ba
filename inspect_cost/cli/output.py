"""The options of output, which most commands share: the format, and the file."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from inspect_cost.cli.terminal import check_writable, write


@Parameter(name="*")
@dataclass(frozen=True)
class OutputOptions:
    """Which format to write, and where.

    Attributes:
        format: Format: table to read, json with everything in it, markdown for a page; rank also
            has csv.
        output: File to write; standard output unless given.
    """

    format: str = "table"
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None

    def check(self, kind: type = object) -> None:
        """Refuse a format or a file that cannot be written, before anything is computed.

        Args:
            kind: type of the result, if it has formats that not every result has.

        Raises:
            UsageError: there is no such format, or the file cannot be written.
        """
        from inspect_cost.reports import check_format, list_formats

        check_format(self.format, list_formats(kind, on_command_line=True))
        check_writable(self.output)

    def write(self, result: object, *, depth: int = 2, exact: bool = False) -> None:
        """Write a result; on a terminal, in its width and in colour.

        Args:
            result: an instance of a type in `inspect_cost.reports.DOCUMENTS`.
            depth: levels of a module tree.
            exact: show all digits in a tree, instead of SI prefixes.
        """
        from inspect_cost.reports import render

        screen = describe_screen(self.output)
        write(render(result, self.format, depth=depth, exact=exact, **screen), self.output)


def describe_screen(output: Path | None) -> dict[str, Any]:
    """Return the width and colour of the terminal, or those of plain text if there is none."""
    if output is not None or not sys.stdout.isatty():
        return {"width": 100, "color": False}
    width = shutil.get_terminal_size((100, 24)).columns
    return {"width": width, "color": "NO_COLOR" not in os.environ}
