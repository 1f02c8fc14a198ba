"""Renderers of a cross-check: data in, text out. A new format is a function and a line."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from inspect_cost.crosschecking.results import CrossCheck
from inspect_cost.crosschecking.table import table_text
from inspect_cost.reports.view import View


def json_text(check: CrossCheck, view: View) -> str:
    """The cross-check as indented JSON, with every module of every reason."""
    del view
    return json.dumps(check.to_dict(), indent=2, ensure_ascii=False)


#: Format name -> renderer.
RENDERERS: Mapping[str, Callable[[CrossCheck, View], str]] = MappingProxyType(
    {"table": table_text, "json": json_text}
)
