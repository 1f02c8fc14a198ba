"""How wide and how colourful a command's output may be."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect_cost.reports import View


def view_of(output: Path | None) -> "View":
    """As the terminal is; 100 characters without colour for a file or a pipe."""
    from inspect_cost.reports import View

    to_screen = output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((100, 24)).columns if to_screen else 100
    return View(width=width, color=to_screen and "NO_COLOR" not in os.environ)
