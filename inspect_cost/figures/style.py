"""Style of all figures: legible in print, and without colour."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inspect_cost.values.quantity import Kind

#: Okabe & Ito's palette for the colour-blind (jfly.uni-koeln.de/color, 2008), without its yellow,
#: which is invisible in print.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)))
FIRST, LATER, FAINT, DARK = PALETTE[0], "#7F7F7F", "#B3B3B3", "#333333"
COLUMN_INCHES = 3.4  # of a two-column page
LABEL_SIZE = 7

STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 9,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "svg.fonttype": "none",  # text, not outlines
    "svg.hashsalt": "inspect-cost",  # the same file each time
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}

#: Kind -> (filling of its markers, text in the legend).
MARKERS: Mapping[Kind | None, tuple[str, str]] = {
    "measured": ("filled", "measured"),
    "counted": ("hollow", "counted"),
    "estimated": ("hollow", "estimated"),
    "reported": ("cross", "reported"),
    None: ("filled", ""),
}


def style_marker(kind: Kind | None, color: str) -> dict[str, Any]:
    """Return a point's marker: filled if measured, hollow if not, a cross if reported."""
    filling = MARKERS[kind][0]
    if filling == "cross":
        return {"marker": "x", "color": color, "markeredgewidth": 1.4}
    face = color if filling == "filled" else "white"
    return {"marker": "o", "color": color, "markerfacecolor": face, "markeredgewidth": 1.2}


def style_line(place: int) -> dict[str, Any]:
    """Return colour and dashes of the n-th line; no two of the first 49 share both."""
    dashes = DASHES[(place + place // len(PALETTE)) % len(DASHES)]
    return {"color": PALETTE[place % len(PALETTE)], "linestyle": dashes}


@contextmanager
def use_style() -> Iterator[None]:
    """Draw in this style, and restore the user's own settings.

    Warnings about missing glyphs are silenced; `saving.find_missing_glyphs` reports them at once.
    """
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **STYLE}
    del settings["backend"]  # choosing one is the user's, and is not undone
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ ")
        yield


def create_figure(width: float, height: float) -> Figure:
    """Create a figure of that size in inches, which is in no window and no global list."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
