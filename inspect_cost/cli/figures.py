"""Figures as the commands write them."""

from pathlib import Path
from typing import Any

from inspect_cost.cli.terminal import complain, say, write_bytes


def write_figure(figure: Any, plot: Path) -> None:
    """Into a file whose suffix was checked, and say so; also what the figure cannot show."""
    from inspect_cost.figures.saving import HTML, VECTOR_TEXT, find_missing_glyphs, render_figure

    suffix = plot.suffix.lower()
    write_bytes(render_figure(figure, suffix), plot)
    say(f"wrote {plot}.")
    letters = "" if suffix in {HTML, VECTOR_TEXT} else find_missing_glyphs(figure)
    if letters:
        complain(
            f"the figure's font has no {letters}: they are boxes in {plot.name}.",
            f"A {VECTOR_TEXT} or {HTML} file leaves letters to the viewer's fonts.",
        )
