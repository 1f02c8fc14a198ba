"""Writing figures to files, in the format of the suffix."""

import io
from pathlib import Path
from typing import Any

from inspect_cost.values.errors import UsageError

#: Suffix -> metadata of the file; without dates, so that the same figure gives the same file.
METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": "inspect-cost"},
    ".pdf": {"CreationDate": None, "Creator": "inspect-cost", "Producer": None},
    ".png": {"Software": "inspect-cost"},
}
HTML = ".html"
#: Format in which letters stay letters, drawn with the viewer's fonts.
VECTOR_TEXT = ".svg"


def check_suffix(path: Path) -> str:
    """Return the suffix of a figure's file, in lower case.

    Raises:
        UsageError: figures have no such format, or the extra for it is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in {*METADATA, HTML}:
        raise UsageError(
            f"a figure cannot be written as {path.name}",
            f"End its name in {', '.join(METADATA)} or {HTML}.",
        )
    if suffix == HTML:
        _check_extra()
    return suffix


def _check_extra() -> None:
    try:
        import altair as alt  # noqa: F401, PLC0415 - only to see whether it is there
        import vl_convert  # noqa: F401, PLC0415
    except ImportError:
        raise UsageError(
            "interactive figures need altair and vl-convert",
            'Install them: pip install "inspect-cost[html]".',
        ) from None


def render_figure(figure: Any, suffix: str) -> bytes:
    """Return the content of a file: of a matplotlib figure, or for .html of a chart of altair."""
    if suffix == HTML:
        return str(figure.to_html(inline=True)).encode()

    from inspect_cost.figures.style import use_style  # noqa: PLC0415 - needs matplotlib

    sink = io.BytesIO()
    with use_style():
        figure.savefig(sink, format=suffix[1:], metadata=METADATA[suffix])
    return sink.getvalue()


def find_missing_glyphs(figure: Any) -> str:
    """Return the letters of a matplotlib figure that its font does not have."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 - when it is drawn
    from matplotlib.text import Text  # noqa: PLC0415

    letters = dict.fromkeys("".join(text.get_text() for text in figure.findobj(Text)))
    font = get_font(findfont("DejaVu Sans"))
    return "".join(x for x in letters if x.isprintable() and not font.get_char_index(ord(x)))


def save(figure: Any, path: str | Path) -> None:
    """Write a figure to .svg, .pdf or .png; an interactive one to .html.

    Raises:
        UsageError: the suffix does not fit, or the file cannot be written.
    """
    target = Path(path)
    suffix = check_suffix(target)
    if (suffix == HTML) != hasattr(figure, "to_html"):
        raise UsageError(
            f"this figure cannot be written as {target.name}",
            f"Interactive figures are {HTML}, those for print {', '.join(METADATA)}.",
        )
    try:
        target.write_bytes(render_figure(figure, suffix))
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror}", "Choose another place."
        ) from error
