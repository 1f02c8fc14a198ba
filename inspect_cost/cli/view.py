"""How output is shown where it goes: width and colour of a terminal, plain text elsewhere."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect_cost.reports.view import View


def screen_view(output: Path | None, *, depth: int = 2, exact: bool = False) -> "View":
    """The view for standard output, or for a file; depth and exact as of `View`."""
    from inspect_cost.reports.view import View

    to_screen = output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((100, 24)).columns if to_screen else 100
    color = to_screen and "NO_COLOR" not in os.environ
    return View(depth=depth, exact=exact, width=width, color=color)
