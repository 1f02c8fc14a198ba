"""Points to rank, read from what they are given as: arrays, tuples, mappings, quantities."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Kind, Quantity

T = TypeVar("T")
#: A point's name, or its position where it has none.
Label = str | int
#: A number, None, (number, half-width of its 95 % interval), or a Quantity.
Value = float | tuple[float, float] | Quantity | None
#: What one point is given as: a value for each objective, in order or by name.
Point = Sequence[Value] | Mapping[str, Value]

LEAST_OBJECTIVES = 2


@dataclass(frozen=True)
class Points:
    """Points as arrays.

    Attributes:
        labels: the points' names, or their positions; distinct.
        objectives: the objectives' names.
        maximise: (k,) bool, whether more is better.
        values: (n, k) float, NaN where missing.
        half_widths: (n, k) float, half of each value's 95 % interval, 0 where it has none.
        kinds: for each point, each value's kind, None where it was a plain number.
    """

    labels: Sequence[Label]
    objectives: tuple[str, ...]
    maximise: NDArray[np.bool_]
    values: NDArray[np.float64]
    half_widths: NDArray[np.float64]
    kinds: Sequence[tuple[Kind | None, ...]]

    @cached_property
    def position(self) -> Mapping[Label, int]:
        """Label -> its row."""
        return {label: row for row, label in enumerate(self.labels)}

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(n,), whether a point has all its values."""
        missing = np.isnan(self.values)
        if not missing.any():  # quicker than row by row
            return np.ones(len(missing), dtype=bool)
        return np.logical_not(missing.any(axis=1))

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """(n, k), the values with signs such that less is better."""
        if not self.maximise.any():
            return self.values
        costs = self.values.copy()
        costs[:, self.maximise] *= -1
        return costs

    @property
    def uncertain(self) -> bool:
        """Whether any value has an interval."""
        return bool(self.half_widths.any())


class PerPoint(Sequence[T], Generic[T]):
    """One thing for each point, in the points' order; also found by a point's name.

    It equals any sequence of the same things.
    """

    def __init__(self, things: Sequence[T], points: Points) -> None:
        self._things = things
        self._points = points

    @overload
    def __getitem__(self, key: Label, /) -> T: ...
    @overload
    def __getitem__(self, key: slice, /) -> Sequence[T]: ...
    def __getitem__(self, key: Label | slice, /) -> T | Sequence[T]:
        return self._things[self._points.position[key] if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._points.labels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._things, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(zip(self._points.labels, self, strict=True))})"

    def by_label(self) -> dict[Label, T]:
        """Label -> the point's own."""
        return dict(zip(self._points.labels, self, strict=True))


def read_points(
    points: Any,
    *,
    maximise: bool | Iterable[bool] | Iterable[str],
    uncertainty: Any,
    names: Sequence[str] | None,
    objectives: Sequence[str] | None,
) -> Points:
    """Points as `rank` takes them.

    Raises:
        UsageError: they are no table of numbers, or the arguments do not fit together.
    """
    if isinstance(points, Mapping):
        if names is not None:
            raise UsageError("names= is for points without names", "These have them: leave it out.")
        names, points = [str(name) for name in points], list(points.values())
    values, half_widths, kinds, found = _read_table(points)
    objectives = tuple(objectives or found or (f"objective {n}" for n in range(values.shape[1])))
    _check_objectives(objectives, values.shape[1])
    if uncertainty is not None:
        half_widths = _read_uncertainty(uncertainty, names, objectives, values.shape)
    if not np.all(np.isfinite(half_widths) & (half_widths >= 0)):
        raise UsageError(
            "an uncertainty is negative or infinite",
            "Give half of the 95 % interval's width, or None where there is none.",
        )
    directions = _directions(maximise, objectives)
    labels = _labels(names, len(values))
    return Points(labels, objectives, directions, values, half_widths, kinds)


Table = tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    Sequence[tuple[Kind | None, ...]],
    tuple[str, ...],
]


def _read_table(points: Any) -> Table:
    """Values, half-widths, kinds, and the objectives' names where the points have some."""
    plain = _plain_array(points)
    if plain is not None:
        no_kinds: tuple[Kind | None, ...] = (None,) * plain.shape[1]
        kinds = Computed(lambda _: no_kinds, len(plain))
        return plain, np.broadcast_to(0.0, plain.shape), kinds, ()
    rows = list(points)
    found: tuple[str, ...] = ()
    if any(isinstance(row, Mapping) for row in rows):
        found = tuple(dict.fromkeys(str(name) for row in rows for name in row))
        rows = [[row.get(name) for name in found] for row in rows]
    read = [[read_value(value) for value in row] for row in rows]
    if len({len(row) for row in read}) > 1:
        raise UsageError("the points differ in their numbers of values", "Give None for missing.")
    shape = (len(read), len(read[0]) if read else LEAST_OBJECTIVES)
    values = np.array([[value for value, _, _ in row] for row in read], float).reshape(shape)
    widths = np.array([[width for _, width, _ in row] for row in read], float).reshape(shape)
    return values, widths, [tuple(kind for _, _, kind in row) for row in read], found


def _plain_array(points: Any) -> NDArray[np.float64] | None:
    """The points as an array, where they are plain numbers; None where they are more."""
    try:
        array: NDArray[np.float64] = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if array.ndim == LEAST_OBJECTIVES:
        return array
    if isinstance(points, np.ndarray):
        raise UsageError(
            f"points of shape {array.shape} are no table", "Give a row for each point."
        )
    return None


def read_value(value: Any) -> tuple[float, float, Kind | None]:
    """(value, half-width of its 95 % interval, kind) of one value; NaN where it is missing.

    Raises:
        UsageError: it is no number.
    """
    if value is None:
        return np.nan, 0.0, None
    if isinstance(value, Quantity):
        return value.value, value.half_width, value.kind
    try:
        if isinstance(value, (tuple, list)):
            number, half_width = value
            return read_value(number)[0], float(half_width or 0), None
        return float(value), 0.0, None
    except UsageError:
        raise
    except (TypeError, ValueError):
        raise UsageError(
            f"{value!r} is no value to rank by",
            "Give a number, (number, half-width of its 95 % interval), a Quantity or None.",
        ) from None


def _read_uncertainty(
    given: Any, names: Sequence[str] | None, objectives: Sequence[str], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Half-widths for each value, from a table or from one row for all points."""
    if isinstance(given, Mapping) and set(given) <= set(objectives):
        given = [given.get(name) for name in objectives]
    elif isinstance(given, Mapping):
        given = [given.get(name) or [None] * shape[1] for name in names or range(shape[0])]
        given = [
            [row.get(name) for name in objectives] if isinstance(row, Mapping) else row
            for row in given
        ]
    try:
        return np.broadcast_to(np.nan_to_num(np.asarray(given, dtype=np.float64)), shape)
    except (TypeError, ValueError):
        raise UsageError(
            f"uncertainty= does not fit {shape[0]} points of {shape[1]} objectives",
            "Give a number for each value, or one for each objective.",
        ) from None


def _check_objectives(objectives: Sequence[str], count: int) -> None:
    if len(objectives) != count or len(set(objectives)) != count:
        raise UsageError(
            f"{', '.join(objectives)} do not name {count} objectives", "Name each one once."
        )
    if count < LEAST_OBJECTIVES:
        raise UsageError("one objective makes no front", "Give two or more; or sort by it.")


def _directions(
    maximise: bool | Iterable[bool] | Iterable[str], objectives: Sequence[str]
) -> NDArray[np.bool_]:
    """For each objective, whether more is better."""
    if isinstance(maximise, (bool, np.bool_)):
        return np.full(len(objectives), maximise)
    given = [maximise] if isinstance(maximise, str) else list(maximise)
    if given and all(isinstance(name, str) for name in given):
        unknown = [str(name) for name in given if name not in objectives]
        if unknown:
            raise UsageError(
                f"maximise= names {', '.join(unknown)}, which is no objective",
                f"The objectives are {', '.join(objectives)}.",
            )
        return np.array([name in given for name in objectives])
    if len(given) not in {0, len(objectives)}:
        raise UsageError(
            f"maximise= has {len(given)} entries for {len(objectives)} objectives",
            "Give one for each objective, or the names of those to maximise.",
        )
    return np.array(given or [False] * len(objectives), dtype=bool)


def _labels(names: Sequence[str] | None, count: int) -> Sequence[Label]:
    if names is None:
        return range(count)
    if len(names) != count:
        raise UsageError(f"there are {len(names)} names for {count} points", "Name each point.")
    if len(set(names)) != count:
        twice = sorted({str(name) for name in names if list(names).count(name) > 1})
        raise UsageError(f"several points are called {', '.join(twice)}", "Name each differently.")
    return tuple(names)


class Computed(Sequence[T], Generic[T]):
    """What is computed for a point when it is asked for, and not before."""

    def __init__(self, compute: Callable[[int], T], count: int) -> None:
        self._compute, self._count = compute, count

    @overload
    def __getitem__(self, key: int, /) -> T: ...
    @overload
    def __getitem__(self, key: slice, /) -> Sequence[T]: ...
    def __getitem__(self, key: int | slice, /) -> T | Sequence[T]:
        rows = range(self._count)[key]
        return self._compute(rows) if isinstance(rows, int) else [*map(self._compute, rows)]

    def __len__(self) -> int:
        return self._count
