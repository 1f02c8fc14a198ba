"""Figures as the commands write them."""

from pathlib import Path

from inspect_cost.cli.terminal import check_writable, log, warn, write_bytes
from inspect_cost.values.errors import UsageError


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


def check_plot(plot: Path | None, what: str) -> None:
    """Refuse a figure that could not be written, before anything is computed.

    Args:
        plot: the file; None for no figure.
        what: what it would show, which has no interactive figure: "laws".

    Raises:
        UsageError: it has no format that curves can be drawn in, or cannot be written.
    """
    check_writable(plot)
    if plot is None:
        return
    from inspect_cost.figures.saving import HTML, check_suffix

    if check_suffix(plot) == HTML:
        raise UsageError(f"{what} cannot be drawn as {plot.name}", "Write a .svg, .pdf or .png.")
