"""What files of results must look like: a JSON Schema for each kind, checked before reading."""

import json
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from inspect_cost.values.errors import UsageError

#: What the schemas share.
COMMON = "common.schema.json"
ADVICE = "Write it again with this tool, or correct it there."
HOW_TO_WRITE = "Write a report with `save(path)`."
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
        raise UsageError(f"{path} is of schema {schema}, which is not read back", NOT_READ[schema])
    if isinstance(schema, str) and schema.startswith("inspect-cost/"):
        names = ", ".join(sorted(known))
        raise UsageError(
            f"{path} is of schema {schema}, which this version does not read",
            f"Give a file of {names}, or install a newer version.",
        )
    raise UsageError(f"{path} is not a result of inspect-cost: it names no schema", HOW_TO_WRITE)


@cache
def make_validator(schema: str) -> Any:
    """Return jsonschema's validator of a schema such as "inspect-cost/report/2"."""
    import jsonschema  # type: ignore[import-untyped]  # noqa: PLC0415 - takes 0.1 s
    from referencing import Registry, Resource  # noqa: PLC0415 - which comes with it

    draft = jsonschema.Draft202012Validator
    strict = draft.TYPE_CHECKER.redefine("integer", _is_integer)
    registry: Registry[Any] = Registry().with_resource(
        COMMON, Resource.from_contents(load_schema(COMMON))
    )
    kind = jsonschema.validators.extend(draft, type_checker=strict)
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
    """Return whether a value is written as a whole number, which 3.0 is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _escape(part: str | int) -> str:
    """Return a step of a JSON pointer, as RFC 6901 spells it."""
    return str(part).replace("~", "~0").replace("/", "~1")


def _describe(error: Any) -> str:
    """Return what is wrong with a value, in words that follow its place."""
    describe = _PROBLEMS.get(error.validator)
    return describe(error) if describe else f"is not valid ({error.validator})"


def _describe_missing(error: Any) -> str:
    missing = next(name for name in error.validator_value if name not in error.instance)
    return f"lacks {missing!r}"


def _describe_type(error: Any) -> str:
    wanted = error.validator_value
    kinds = wanted if isinstance(wanted, list) else [wanted]
    return f"is not {' or '.join(_ARTICLES[kind] for kind in kinds)}"


def _describe_length(error: Any) -> str:
    return f"has {len(error.instance)} items, not {error.validator_value}"


#: JSON Schema's word for what is wrong -> the same in words.
_PROBLEMS: Mapping[str, Callable[[Any], str]] = {
    "required": _describe_missing,
    "type": _describe_type,
    "minimum": lambda error: f"is less than {error.validator_value:g}",
    "maximum": lambda error: f"is larger than {error.validator_value:g}",
    "enum": lambda error: f"is none of {', '.join(map(str, error.validator_value))}",
    "const": lambda error: f"is not {error.validator_value!r}",
    "minItems": _describe_length,
    "maxItems": _describe_length,
}
_ARTICLES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
