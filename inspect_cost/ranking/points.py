"""Points to rank, read from arrays, tuples, mappings and quantities."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Kind, Quantity

T = TypeVar("T")
#: A point's name, or its position if it has none.
Label = str | int
#: A number, None, (number, half-width of its 95 % interval), or a Quantity.
Value = float | tuple[float, float] | Quantity | None
#: A point as given: a value for each objective, in order or by name.
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
        half_widths: (n, k) float, half-width of each value's 95 % interval; 0 if it has none.
        kinds: for each point, each value's kind; None if it was a plain number.
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
        """(n,) bool, whether a point has all its values."""
        missing = np.isnan(self.values)
        if not missing.any():  # quicker than row by row
            return np.ones(len(missing), dtype=bool)
        return np.logical_not(missing.any(axis=1))

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """(n, k), the values, signed such that less is better."""
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
    """A sequence with an item for each point, also found by the point's name.

    It equals any sequence of the same items.
    """

    def __init__(self, items: Sequence[T], points: Points) -> None:
        self._items = items
        self._points = points

    @overload
    def __getitem__(self, key: Label, /) -> T: ...
    @overload
    def __getitem__(self, key: slice, /) -> Sequence[T]: ...
    def __getitem__(self, key: Label | slice, /) -> T | Sequence[T]:
        return self._items[self._points.position[key] if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._points.labels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._items, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(zip(self._points.labels, self, strict=True))})"


def read_points(
    points: Any,
    *,
    maximise: bool | Iterable[bool] | Iterable[str],
    uncertainty: Any,
    names: Sequence[str] | None,
    objectives: Sequence[str] | None,
) -> Points:
    """Read points as `rank` takes them.

    Raises:
        UsageError: they are not a table of numbers, or the arguments do not fit together.
    """
    if isinstance(points, Mapping):
        if names is not None:
            raise UsageError(
                "`names` is for points without names, and these have them",
                "Leave it out.",
                field="names",
            )
        names, points = [str(name) for name in points], list(points.values())
    values, half_widths, kinds, found = _read_table(points)
    objectives = tuple(objectives or found or (f"objective {n}" for n in range(values.shape[1])))
    _check_objectives(objectives, values.shape[1])
    if uncertainty is not None:
        half_widths = _read_uncertainty(uncertainty, names, objectives, values.shape)
    if not np.all(np.isfinite(half_widths) & (half_widths >= 0)):
        raise UsageError(
            "an uncertainty is negative or infinite",
            "Give half of the 95 % interval's width, or None if there is none.",
            field="uncertainty",
        )
    directions = _read_directions(maximise, objectives)
    labels = _read_labels(names, len(values))
    return Points(labels, objectives, directions, values, half_widths, kinds)


Table = tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    Sequence[tuple[Kind | None, ...]],
    tuple[str, ...],
]


def _read_table(points: Any) -> Table:
    """Return values, half-widths, kinds, and the objectives' names, if the points have them."""
    plain = _read_plain_array(points)
    if plain is not None:  # no loop in Python over perhaps a million points
        no_kinds: tuple[Kind | None, ...] = (None,) * plain.shape[1]
        kinds = LazySequence(lambda _: no_kinds, len(plain))
        return plain, np.broadcast_to(0.0, plain.shape), kinds, ()
    rows = list(points)
    # The objectives of named values are the union of all names, in the order of appearance.
    found: tuple[str, ...] = ()
    if any(isinstance(row, Mapping) for row in rows):
        found = tuple(dict.fromkeys(str(name) for row in rows for name in row))
        rows = [[row.get(name) for name in found] for row in rows]
    read = [[read_value(value) for value in row] for row in rows]
    if len({len(row) for row in read}) > 1:
        raise UsageError(
            "the points differ in their numbers of values",
            "Give None for a missing value.",
            field="points",
        )
    shape = (len(read), len(read[0]) if read else LEAST_OBJECTIVES)
    values = np.array([[value for value, _, _ in row] for row in read], float).reshape(shape)
    widths = np.array([[width for _, width, _ in row] for row in read], float).reshape(shape)
    return values, widths, [tuple(kind for _, _, kind in row) for row in read], found


def _read_plain_array(points: Any) -> NDArray[np.float64] | None:
    """Return the points as an array if they are plain numbers, else None."""
    try:
        array: NDArray[np.float64] = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if array.ndim == LEAST_OBJECTIVES:
        return array
    if isinstance(points, np.ndarray):
        raise UsageError(
            f"points of shape {array.shape} are not a table",
            "Give a row for each point.",
            field="points",
        )
    return None


def read_value(value: Any) -> tuple[float, float, Kind | None]:
    """Return value, half-width of its 95 % interval, and kind; NaN if the value is missing.

    Raises:
        UsageError: it is not a number.
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
            f"cannot rank by {value!r}",
            "Give a number, (number, half-width of its 95 % interval), a Quantity or None.",
            field="points",
        ) from None


def _read_uncertainty(
    given: Any, names: Sequence[str] | None, objectives: Sequence[str], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return a half-width for each value, from a table or from one row for all points."""
    # A mapping is by objective, for all points, or else by point.
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
            f"`uncertainty` does not fit {shape[0]} points of {shape[1]} objectives",
            "Give a number for each value, or one for each objective.",
            field="uncertainty",
        ) from None


def _check_objectives(objectives: Sequence[str], count: int) -> None:
    if len(objectives) != count or len(set(objectives)) != count:
        raise UsageError(
            f"{', '.join(objectives)} do not name {count} objectives",
            "Name each one once.",
            field="objectives",
        )
    if count < LEAST_OBJECTIVES:
        raise UsageError(
            "a front takes two objectives, and there is one",
            "Give two or more, or sort by the one.",
            field="objectives",
        )


def _read_directions(
    maximise: bool | Iterable[bool] | Iterable[str], objectives: Sequence[str]
) -> NDArray[np.bool_]:
    """Return for each objective whether more is better."""
    if isinstance(maximise, (bool, np.bool_)):
        return np.full(len(objectives), maximise)
    given = [maximise] if isinstance(maximise, str) else list(maximise)
    if given and all(isinstance(name, str) for name in given):
        unknown = [str(name) for name in given if name not in objectives]
        if unknown:
            raise UsageError(
                f"`maximise` names {', '.join(unknown)}, which is not an objective",
                f"The objectives are {', '.join(objectives)}.",
                field="maximise",
            )
        return np.array([name in given for name in objectives])
    if len(given) not in {0, len(objectives)}:
        raise UsageError(
            f"`maximise` has {len(given)} entries for {len(objectives)} objectives",
            "Give one for each objective, or the names of those to maximise.",
            field="maximise",
        )
    return np.array(given or [False] * len(objectives), dtype=bool)


def _read_labels(names: Sequence[str] | None, count: int) -> Sequence[Label]:
    if names is None:
        return range(count)
    if len(names) != count:
        raise UsageError(
            f"there are {len(names)} names for {count} points",
            "Name each point.",
            field="names",
        )
    if len(set(names)) != count:
        twice = sorted({str(name) for name in names if list(names).count(name) > 1})
        raise UsageError(
            f"several points are called {', '.join(twice)}",
            "Give each a name of its own.",
            field="names",
        )
    return tuple(names)


class LazySequence(Sequence[T], Generic[T]):
    """A sequence whose items are computed when they are read."""

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
