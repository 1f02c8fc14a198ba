"""The options of output, which most commands share: the format, and the file."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.terminal import check_writable, write
from inspect_cost.cli.wording import spell_options


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

        width, color = find_screen(self.output)
        text = render(
            result,
            self.format,
            spell=spell_options,
            depth=depth,
            exact=exact,
            width=width,
            color=color,
        )
        write(text, self.output)


def find_screen(output: Path | None) -> tuple[int, bool]:
    """Return the width and colour of the terminal, or those of plain text if there is none."""
    if output is not None or not sys.stdout.isatty():
        return 100, False
    width = shutil.get_terminal_size((100, 24)).columns
    return width, "NO_COLOR" not in os.environ
