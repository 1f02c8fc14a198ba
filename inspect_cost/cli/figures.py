"""Figures as the commands write them."""

from pathlib import Path
from typing import Any

from inspect_cost.cli.terminal import complain, say, write_bytes


def write_figure(figure: Any, plot: Path) -> None:
    """Into a file whose suffix was checked, and say so; also what the figure cannot show."""
    from inspect_cost.figures.saving import HTML, VECTOR_TEXT, figure_bytes, letters_without_glyph

    suffix = plot.suffix.lower()
    write_bytes(figure_bytes(figure, suffix), plot)
    say(f"wrote {plot}.")
    letters = "" if suffix in {HTML, VECTOR_TEXT} else letters_without_glyph(figure)
    if letters:
        complain(
            f"the figure's font has no {letters}: they are boxes in {plot.name}.",
            f"A {VECTOR_TEXT} or {HTML} file leaves letters to the viewer's fonts.",
        )
