"""Errors: what they are, what they carry, and how they read on one line."""

import pickle

import pytest

from inspect_cost.values.errors import (
    CountError,
    InspectCostError,
    MeasurementError,
    Unsupported,
    UsageError,
    one_line,
)


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (UsageError, (InspectCostError, ValueError)),
        (Unsupported, (UsageError, ValueError)),
        (MeasurementError, (InspectCostError, RuntimeError)),
    ],
)
def test_errors_are_the_ones_that_python_has_for_them(
    error: type[InspectCostError], bases: tuple[type[Exception], ...]
) -> None:
    for base in bases:
        with pytest.raises(base):
            raise error("wrong", "Do better.")


def test_what_an_error_carries_survives_a_process() -> None:
    error = pickle.loads(pickle.dumps(CountError("wrong", "Do better.", "net.0", field="model")))  # noqa: S301 - our own
    assert str(error) == "wrong"
    assert (error.advice, error.module_path, error.field) == ("Do better.", "net.0", "model")


def test_an_error_need_not_name_a_field() -> None:
    assert UsageError("wrong").field == ""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("weight"), "KeyError: 'weight'"),
        (RuntimeError("\n  first\nsecond"), "RuntimeError: first"),
        (RuntimeError(), "RuntimeError"),
        (UsageError("written to be read"), "written to be read"),
        (UsageError(""), "UsageError"),
        (RuntimeError("x" * 301), f"RuntimeError: {'x' * 300}..."),
        (RuntimeError("x" * 300), f"RuntimeError: {'x' * 300}"),
    ],
)
def test_one_line_has_the_type_and_the_first_line(error: Exception, text: str) -> None:
    assert one_line(error) == text


def test_one_line_is_as_long_as_asked_for() -> None:
    assert one_line(ValueError("abcdef"), longest=3) == "ValueError: abc..."
