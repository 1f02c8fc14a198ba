"""Cost laws: several models side by side, for a person or a program."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.counting.law import CostLaw, polynomial_text
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View

SCHEMA = "inspect-cost/laws/1"


def law_table(law: CostLaw) -> Padding:
    """MACs, FLOPs and bytes as polynomials in the length, and where they hold."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, coefficients in (
        ("MACs(L)", law.macs),
        ("FLOPs(L)", law.flops),
        ("Bytes(L)", law.bytes_moved),
    ):
        grid.add_row(name, f"= {polynomial_text(coefficients)}")
    lengths = ", ".join(f"{n:,}" for n in law.counted_at)
    grid.add_row("", Text(f"for {law.domain}; counted and verified at {lengths}", style="dim"))
    return Padding(grid, (0, 0, 0, 2))


def laws_text(laws: Mapping[str, CostLaw], view: View) -> str:
    """One paragraph a model."""
    parts: list[RenderableType] = []
    for name, law in laws.items():
        parts += [Text(name, style="bold"), law_table(law)]
    return rendered(Group(*parts), view)


def laws_json(laws: Mapping[str, CostLaw], view: View) -> str:
    """All of it, coefficients as exact fractions."""
    del view
    content = {"schema": SCHEMA, "laws": {name: law.to_dict() for name, law in laws.items()}}
    return json.dumps(content, indent=2, ensure_ascii=False)


#: Format name -> renderer.
LAW_RENDERERS: Mapping[str, Callable[[Mapping[str, CostLaw], View], str]] = MappingProxyType(
    {"table": laws_text, "json": laws_json}
)
