"""A result as JSON: all of it, machine-readable, with its schema's name and its provenance."""

import json
import re
from collections.abc import Mapping
from typing import Any

from inspect_cost.values.provenance import describe_run

#: Lists of numbers, and objects without lists and objects in them: no string has a line's end.
_NUMBERS = re.compile(r"\[\n\s+[-+.\deE]+(?:,\n\s+[-+.\deE]+)*\n\s+\]")
_FLAT = re.compile(r"\{\n[^{}\[\]]+\n\s+\}")
_BREAK = re.compile(r"\n\s+")
#: Objects take one line if they are no longer than this.
LONGEST_ROW = 200


def write_json(data: Mapping[str, Any]) -> str:
    """Return plain data as indented JSON; provenance that it has is left as it is."""
    content = {"provenance": describe_run(), **data}
    content["provenance"] = content.pop("provenance")  # last, however early it came
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: _join_lines(found[0]), text)
    return _FLAT.sub(lambda found: _join_row(found[0]), text)


def _join_lines(text: str) -> str:
    """Return a list or an object of several lines in one."""
    inner = _BREAK.sub(" ", text[1:-1]).strip()
    return f"{text[0]}{inner}{text[-1]}"


def _join_row(text: str) -> str:
    row = _join_lines(text)
    return row if len(row) <= LONGEST_ROW else text
