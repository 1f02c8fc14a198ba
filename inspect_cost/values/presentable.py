"""Showing and saving of results, without knowing any format.

Results are values at the bottom of the package, formats are at its top. The one way up is here, by
name and when it is asked for: ``print(report)`` renders the document that the command line shows.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Self


class Presentable:
    """Base class of results: printed as a table, shown as HTML in notebooks, written as JSON."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.render("table")

    def _repr_html_(self) -> str:
        return self.render("notebook")

    def render(self, format: str = "table", **view: Any) -> str:  # noqa: A002 - the option's name
        """Return the result as text.

        Args:
            format: "table", "json", "markdown"; `inspect_cost.reports.FORMATS` has all.
            **view: of `inspect_cost.reports.View`: depth, exact, width, color.

        Raises:
            UsageError: there is no such format.
        """
        return str(_reports().render(self, format, **view))

    def to_json(self) -> str:
        """Return the result as JSON, with its schema's name and its provenance."""
        return self.render("json")

    def save(self, path: str | Path) -> None:
        """Write the result as JSON; `inspect_cost.load` reads it back."""
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a result of this class from a file that `save` or the command line wrote.

        Raises:
            UsageError: it cannot be read, or holds something else; says where and what.
        """
        loaded: Self = _reports().load(path, cls)
        return loaded


def _reports() -> Any:
    return import_module("inspect_cost.reports")
