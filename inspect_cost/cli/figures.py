"""Figures as the commands write them."""

from pathlib import Path

from inspect_cost.cli.terminal import log, warn, write_bytes


def write_figure(figure: object, plot: Path) -> None:
    """Write a figure and say so; warn of letters that its font cannot show.

    Args:
        figure: the figure.
        plot: the file, whose suffix `check_suffix` has accepted.
    """
    from inspect_cost.figures.saving import HTML, VECTOR_TEXT, find_missing_glyphs, render_figure

    suffix = plot.suffix.lower()
    write_bytes(render_figure(figure, suffix), plot)
    log(f"wrote {plot}.")
    letters = "" if suffix in {HTML, VECTOR_TEXT} else find_missing_glyphs(figure)
    if letters:
        warn(
            f"the figure's font has no {letters}: they are boxes in {plot.name}.",
            f"A {VECTOR_TEXT} or {HTML} file leaves letters to the viewer's fonts.",
        )
