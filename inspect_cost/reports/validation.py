"""What files of results must look like: a JSON Schema for each kind, checked before reading."""

import json
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

#: What the schemas share.
COMMON = "common.schema.json"
ADVICE = "Write it again with this tool, or correct it there."
HOW_TO_WRITE = "Write a report with inspect-cost MODEL --format json -o FILE."
#: Schemas of what is written and cannot be read back -> how to get it again.
NOT_READ: Mapping[str, str] = {
    "inspect-cost/ranking/1": "Rank the models again.",
    "inspect-cost/points/1": "Rank the points again.",
}


def check_schema(written: Any, path: str, place: str, known: Collection[str]) -> str:
    """Return the schema of a result after checking that it is valid.

    Args:
        written: plain data.
        path: of its file.
        place: where it stands in the file: "/0" in a list, "" alone.
        known: the schemas that can be read.

    Raises:
        UsageError: it is not valid; says where and why in a sentence.
    """
    schema = _find_schema(written, path, known)
    error = next(iter(make_validator(schema).iter_errors(written)), None)
    if error is not None:
        where = place + "".join(f"/{_escape(part)}" for part in error.absolute_path)
        raise UsageError(f"{path}: {where or '/'} {_describe(error)}", ADVICE)
    return schema


def _find_schema(written: Any, path: str, known: Collection[str]) -> str:
    schema = written.get("schema") if isinstance(written, dict) else None
    if isinstance(schema, str) and schema in known:
        return schema
    if isinstance(schema, str) and schema in NOT_READ:
        raise UsageError(f"{path} is a {schema}, which is not read back", NOT_READ[schema])
    if isinstance(schema, str) and schema.startswith("inspect-cost/"):
        names = ", ".join(sorted(known))
        raise UsageError(
            f"{path} has the schema {schema}, which this version does not read",
            f"Install a newer version, or give one of {names}.",
        )
    raise UsageError(f"{path} is no result of this tool: it names no schema of it", HOW_TO_WRITE)


@cache
def make_validator(schema: str) -> "Validator":
    """Return what checks results of a schema: "inspect-cost/report/2"."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - takes 0.1 s
    from referencing import Registry, Resource  # noqa: PLC0415 - which comes with it

    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    registry: Registry[Any] = Registry().with_resource(
        COMMON, Resource.from_contents(load_schema(COMMON))
    )
    kind = validators.extend(Draft202012Validator, type_checker=strict)
    return kind(load_schema(find_file(schema)), registry=registry)


def find_file(schema: str) -> str:
    """Return the name of a schema's file: "report-2.schema.json"."""
    _, kind, version = schema.split("/")
    return f"{kind}-{version}.schema.json"


def load_schema(name: str) -> dict[str, Any]:
    """Return a JSON Schema of this package."""
    text = files("inspect_cost.reports").joinpath("schema", name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _is_integer(_checker: Any, value: Any) -> bool:
    """Return whether a value is written as a whole number; 3.0 is not, since it reads as one."""
    return isinstance(value, int) and not isinstance(value, bool)


def _escape(part: str | int) -> str:
    """Return a step of a JSON pointer, as RFC 6901 spells it."""
    return str(part).replace("~", "~0").replace("/", "~1")


def _describe(error: "ValidationError") -> str:
    """Return what is wrong with a value, in words that follow its place."""
    limit: Any = error.validator_value
    match error.validator:
        case "required":
            missing = next(name for name in limit if name not in error.instance)
            return f"lacks {missing!r}"
        case "type":
            kinds = limit if isinstance(limit, list) else [limit]
            return f"is not {' or '.join(_ARTICLES[kind] for kind in kinds)}"
        case "maximum" | "exclusiveMaximum":
            return f"is larger than {limit:g}"
        case "minimum":
            return f"is less than {limit:g}"
        case "exclusiveMinimum":
            return f"is not above {limit:g}"
        case "enum":
            return f"is none of {', '.join(map(str, limit))}"
        case "minItems" | "maxItems":
            return f"has {len(error.instance)} items, not {limit}"
    return f"is not valid ({error.validator})"


_ARTICLES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
