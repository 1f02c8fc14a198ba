"""The JSON Schemas that the package ships."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no annotations
import pytest

import inspect_cost
from inspect_cost.reports.data import READERS
from inspect_cost.reports.documents import SCHEMAS
from inspect_cost.reports.results import Laws, TrainingCarbon
from inspect_cost.reports.validation import NOT_READ, find_file, load_schema, make_validator
from inspect_cost.values.presentable import Presentable
from tests.reports.examples import (
    COUNT,
    CROSSCHECK,
    EXPLANATION,
    INSPECTION,
    MEASUREMENT,
    WITHOUT_SENSOR,
)
from tests.reports.small import make_inspection

SHIPPED = sorted(entry.name for entry in files("inspect_cost.reports").joinpath("schema").iterdir())


def test_each_schema_that_is_read_is_shipped() -> None:
    assert {find_file(schema) for schema in READERS} | {"common.schema.json"} == set(SHIPPED)


def test_what_is_written_is_read_or_known_not_to_be() -> None:
    assert set(SCHEMAS.values()) <= READERS.keys() | NOT_READ.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_schemas_are_valid_themselves(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(load_schema(name))


def list_references(written: Any) -> set[str]:
    if isinstance(written, list):
        return {found for item in written for found in list_references(item)}
    if not isinstance(written, dict):
        return set()
    own = {written["$ref"]} if isinstance(written.get("$ref"), str) else set()
    return own | {found for value in written.values() for found in list_references(value)}


def test_references_lead_to_definitions_and_none_is_unused() -> None:
    defined = {f"#/$defs/{name}" for name in load_schema("common.schema.json")["$defs"]}
    used = {
        reference.removeprefix("common.schema.json")
        for name in SHIPPED
        for reference in list_references(load_schema(name))
    }
    assert used == defined


TRAINING = inspect_cost.estimate_training_carbon("4 x P100", "12+10..30", pue=1.5)
RESULTS: list[Presentable] = [
    INSPECTION,
    make_inspection(),
    make_inspection("a", WITHOUT_SENSOR),
    COUNT,
    MEASUREMENT,
    CROSSCHECK,
    EXPLANATION,
    TRAINING,
    Laws({}),
    TrainingCarbon({"a": TRAINING, "b": None}),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_what_is_written_is_valid(result: Presentable, tmp_path: Path) -> None:
    result.save(tmp_path / "a.json")
    written = json.loads((tmp_path / "a.json").read_text())
    make_validator(written["schema"]).validate(written)
    assert inspect_cost.load(tmp_path / "a.json") == result
