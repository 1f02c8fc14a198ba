"""The grammar of values that users write."""

from typing import Any

import pytest

from inspect_cost.values.errors import UsageError
from inspect_cost.values.given import is_beside, is_number, read_values
from inspect_cost.values.quantity import Quantity


@pytest.mark.parametrize("text", ["3.9 +- 0.2", "3.9+/-0.2", " 3.9 ± 0.2 "])
def test_intervals_are_written_in_three_ways(text: str) -> None:
    assert read_values({"mos": text}) == read_values({"mos": 3.9, "mos_ci": 0.2})
    assert read_values({"mos": text})["mos"].ci95 == pytest.approx((3.7, 4.1))


def test_the_interval_beside_a_value_goes_first() -> None:
    assert read_values({"x": "3 +- 1", "x_ci": 2})["x"].ci95 == (1, 5)
    assert read_values({"x": "3 +- 1", "x_ci": 0})["x"].ci95 is None


def test_whole_numbers_stay_whole() -> None:
    value = read_values({"params": 10})["params"].value
    assert isinstance(value, int)


def test_kinds_and_sources_of_one_value_go_before_those_of_all() -> None:
    entries = {"a": 1, "a_kind": "measured", "a_source": "RAPL", "b": 2}
    assert read_values(entries) == {
        "a": Quantity(1, "", "measured", "RAPL"),
        "b": Quantity(2, "", "reported", ""),
    }
    both = read_values({**entries, "kind": "counted", "source": "us"})
    assert both["a"] == Quantity(1, "", "measured", "RAPL")
    assert both["b"] == Quantity(2, "", "counted", "us")


def test_an_interval_beside_nothing_is_a_value() -> None:
    assert is_beside("x_ci", {"x": 1})
    assert not is_beside("x_ci", {"y": 1})
    assert read_values({"x_ci": 3, "y_source": "us"}) == {"x_ci": Quantity(3, "", "reported", "")}


@pytest.mark.parametrize(
    ("entries", "field"),
    [
        ({"x": True}, "x"),
        ({"x": None}, "x"),
        ({"x": [1]}, "x"),
        ({"x": "one"}, "x"),
        ({"x": "nan"}, "x"),
        ({"x": float("nan")}, "x"),
        ({"x": float("inf")}, "x"),
        ({"x": -1e100}, "x"),
        ({"x": "1 +- -2"}, "x"),
        ({"x": "1 +- 1e200"}, "x"),
        ({"x": 1, "x_ci": -2}, "x_ci"),
        ({"x": 1, "x_ci": "wide"}, "x_ci"),
        ({"x": 1, "x_kind": "guessed"}, "x_kind"),
        ({"x": 1, "kind": "guessed"}, "kind"),
    ],
)
def test_errors_name_the_entry(entries: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_values(entries)
    assert raised.value.field == field
    assert raised.value.advice


def test_numbers_are_told_from_words() -> None:
    assert all(map(is_number, (0, 1.5, "2", "-1e3", "3 +- 1")))
    assert not any(map(is_number, ("", "-", "gan", "80%", "0,8", None, True, float("nan"))))
