"""Nothing costs nothing: no formula is negative, or divides by zero, for sizes of zero."""

import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from typing import Any

import pytest

from inspect_cost import formulas
from inspect_cost.formulas.recurrent_gradients import Wanted
from inspect_cost.values.cost import FREE, OpCost

#: Values of parameters that are no sizes, by name.
CHOICES: Mapping[str, list[Any]] = {
    "order": [0, 1, 2, 3, float("inf")],
    "exponent": [None, 2, 0.5],
    "beta": [0.75],
    "stride": [1, 2],
    "dilation": [1, 2],
    "reach": [2, 4],
    "dimensions": [1, 2],
    "P": [None, 0, 2],
    "wanted": [Wanted(*flags) for flags in itertools.product((False, True), repeat=7)],
}

#: Shapes, of functions that take them; each is as empty as the cases that go with it.
SHAPES: Mapping[str, list[list[Any]]] = {
    "convolution": [
        [(4, 2, 3, 3), (0, 4, 5, 5)],
        [(4, 2, 3, 3), (1, 4, 0, 5)],
        [(0, 2, 3), (1, 0, 5)],
    ],
    "transposed_convolution": [
        [(0, 4, 5, 5), (4, 2, 3, 3), (0, 2, 7, 7)],
        [(1, 4, 5), (4, 0, 3), (1, 0, 7)],
    ],
    "deformed_convolution": [
        [4, (4, 2, 3, 3), (0, 4, 5, 5), 0],
        [0, (4, 0, 3, 3), (1, 4, 5, 5), 225],
        [4, (0, 2, 3, 3), (1, 0, 5, 5), 225],
    ],
    "valid_convolution": [[(4, 2, 3), (0, 4, 5), [13]], [(4, 2, 3), (1, 4, 0), [0]]],
    "valid_transposed_convolution": [[(0, 4, 5), (4, 2, 3), (0, 2, 7), [15]]],
    "max_pool": [[0, [3, 3]], [2, [0]], [2, []]],
    "average_pool": [[0, [3, 3]], [2, [0]], [2, []]],
    "adaptive_average_pool": [[0, [4], [2]], [2, [0], [3]], [2, [4], [0]], [2, [0, 4], [1, 1]]],
    "adaptive_max_pool": [[0, [4], [2]], [2, [0], [3]], [2, [4], [0]], [2, [0, 4], [1, 1]]],
    "antialiased_interpolation": [
        [planes, [4, height], [out, 2], reach]
        for planes, height, out, reach in itertools.product((0, 1), (0, 3), (0, 2), (2, 4))
    ],
}

Formula = Callable[..., Any]


def list_formulas() -> Iterator[tuple[str, Formula]]:
    """Yield the public functions of all families of formulas, by family and name."""
    for family in pkgutil.iter_modules(formulas.__path__):
        module = importlib.import_module(f"{formulas.__name__}.{family.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{family.name}.{name}", function


FORMULAS = dict(list_formulas())


def list_calls(name: str, function: Formula) -> Iterator[dict[str, Any]]:
    """Yield arguments of a formula: all of its sizes among 0, 1 and 3, all flags, all choices."""
    parameters = inspect.signature(function).parameters
    shapes = SHAPES.get(name.partition(".")[2]) if takes_shapes(function) else None
    if shapes is not None:
        flags = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
        for shape, chosen in itertools.product(
            shapes, itertools.product((False, True), repeat=len(flags))
        ):
            yield {
                **dict(zip(parameters, shape, strict=False)),
                **dict(zip(flags, chosen, strict=True)),
            }
        return
    options = [
        CHOICES.get(n) or ([False, True] if p.annotation is bool else [0, 1, 3])
        for n, p in parameters.items()
    ]
    for chosen in itertools.product(*options):
        yield dict(zip(parameters, chosen, strict=True))


def takes_shapes(function: Formula) -> bool:
    """Return whether a formula takes sequences of sizes."""
    kinds = [p.annotation for p in inspect.signature(function).parameters.values()]
    return any(kind not in {int, float, bool, float | None, int | None} for kind in kinds)


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cost_is_negative(name: str) -> None:
    function = FORMULAS[name]
    calls = list(list_calls(name, function))
    assert calls
    for call in calls:
        result = function(**call)
        numbers = astuple(result) if isinstance(result, OpCost) else result
        smallest = min(numbers, default=0) if isinstance(numbers, (tuple, list)) else numbers
        assert smallest >= 0, call


NOTHING: dict[str, dict[str, Any]] = {
    "attention.scaled_dot_product_attention": {
        "heads": 2,
        "L": 3,
        "S": 0,
        "E": 4,
        "Ev": 4,
        "masked": True,
    },
    "attention.masked_attention": {"scores": 0, "rows": 0, "E": 4, "Ev": 4},
    "backward.attention": {"heads": 2, "L": 3, "S": 0, "E": 4, "Ev": 4},
    "backward.softmax": {"rows": 3, "n": 0},
    "backward.log_softmax": {"rows": 3, "n": 0},
    "reduction.softmax": {"rows": 3, "n": 0},
    "reduction.summation": {"rows": 3, "n": 0},
    "reduction.extremum": {"rows": 3, "n": 0},
    "fourier.fft": {"transforms": 3, "N": 0},
    "linalg.determinant": {"n": 0},
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_reads_nothing_is_free(name: str) -> None:
    assert FORMULAS[name](**NOTHING[name]) == FREE
