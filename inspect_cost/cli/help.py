"""Help texts as paragraphs: lines of a docstring are joined, and broken where the screen ends."""

import re
from typing import TYPE_CHECKING

from cyclopts.help import DefaultFormatter, HelpPanel, InlineText

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions


class ParagraphFormatter(DefaultFormatter):
    """Print help as cyclopts does, but fill the paragraphs of descriptions."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: HelpPanel) -> None:
        """Print a panel of commands or parameters."""
        for entry in panel.entries:
            fill_paragraphs(entry.description)
        super().__call__(console, options, panel)

    def render_description(
        self, console: "Console", options: "ConsoleOptions", description: object
    ) -> None:
        """Print what stands above the panels."""
        fill_paragraphs(description)
        super().render_description(console, options, description)


def fill_paragraphs(description: object) -> None:
    """Join the lines of each paragraph of a plain text; leave anything else as it is."""
    from rich.text import Text

    if isinstance(description, InlineText) and isinstance(description.primary_renderable, Text):
        description.primary_renderable.plain = join_lines(description.primary_renderable.plain)


def join_lines(text: str) -> str:
    r"""Replace single line breaks by blanks.

    >>> join_lines("One\ntwo.\n\nThree.")
    'One two.\n\nThree.'
    """
    return re.sub(r"(?<!\n)\n(?!\n)(?=.)", " ", text)
