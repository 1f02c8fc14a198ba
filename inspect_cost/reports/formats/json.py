"""A result as JSON: all of it, machine-readable, with its schema's name and its provenance."""

import json
from collections.abc import Mapping
from typing import Any

from inspect_cost.values.provenance import describe_run


def write_json(data: Mapping[str, Any]) -> str:
    """Return plain data as indented JSON; provenance that it has is left as it is."""
    content = {"provenance": describe_run(), **data}
    content["provenance"] = content.pop("provenance")  # last, however early it came
    return json.dumps(content, indent=2, ensure_ascii=False)
