"""From what rich draws to plain text."""

from io import StringIO

from rich.console import Console, RenderableType

from inspect_cost.reports.view import View


def rendered(content: RenderableType, view: View) -> str:
    """Rich content as text."""
    sink = StringIO()
    console = Console(
        file=sink,
        width=view.width,
        force_terminal=view.color,
        no_color=not view.color,
        color_system="truecolor" if view.color else None,
        highlight=False,
        markup=False,  # a name may have brackets
    )
    console.print(content)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())
