"""Renderers: a report in, text out. A new format is one function and one line in `RENDERERS`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from inspect_cost.reports.data import load
from inspect_cost.reports.inspection import Report
from inspect_cost.reports.json_text import json_text
from inspect_cost.reports.table import table_text
from inspect_cost.reports.view import View

Renderer = Callable[[Report, View], str]

#: Format name -> renderer.
RENDERERS: Mapping[str, Renderer] = MappingProxyType({"table": table_text, "json": json_text})

__all__ = ["RENDERERS", "Renderer", "View", "load"]
