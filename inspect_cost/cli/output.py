"""The options of output, which all commands share: in which format, and where to."""

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
    """What to write, and where to.

    Attributes:
        format: What to write: table to read, json with everything in it, markdown for a page;
            rank also has csv.
        output: File to write to, instead of standard output.
    """

    format: str = "table"
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None

    def check(self, kind: type = object) -> None:
        """Refuse a format or a file that results of a type cannot be written to.

        Args:
            kind: the type, if other formats may be written of it than of all results.

        Raises:
            UsageError: says which formats there are, or what is wrong with the file.
        """
        from inspect_cost.reports import check_format, list_formats

        check_format(self.format, list_formats(kind, on_command_line=True))
        check_writable(self.output)

    def write(self, result: object, *, depth: int = 2, exact: bool = False) -> None:
        """Write a result; on a terminal, in its width and in colours.

        Args:
            result: of a type that `inspect_cost.reports.DOCUMENTS` has.
            depth: levels of a module tree.
            exact: whether a tree has whole numbers instead of SI prefixes.
        """
        from inspect_cost.reports import render

        screen = describe_screen(self.output)
        write(render(result, self.format, depth=depth, exact=exact, **screen), self.output)


def describe_screen(output: Path | None) -> dict[str, Any]:
    """Return width and colour of a terminal, or those of plain text anywhere else."""
    if output is not None or not sys.stdout.isatty():
        return {"width": 100, "color": False}
    width = shutil.get_terminal_size((100, 24)).columns
    return {"width": width, "color": "NO_COLOR" not in os.environ}
