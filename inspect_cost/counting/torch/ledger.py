"""The ledger of a count: which module is running, and what its operators have cost so far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from inspect_cost.counting.tally import Tally
from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.places import Places
from inspect_cost.values.cost import FREE, OpCost


class Details(NamedTuple):
    """What a call was given and returned, for whoever explains it.

    Attributes:
        operator: the operator; None of what is no plain operator.
        args: its positional arguments.
        kwargs: its keyword arguments.
        out: its result.
    """

    operator: Operator | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    out: Any


class Observer(Protocol):
    """Whoever is told of each entry."""

    def watch(self, key: tuple[str, str], cost: OpCost | None, moved: int, call: Details) -> None:
        """Take note of an entry: its place and operator, its cost, and the call that it is of."""


#: Of an entry that stands for more than one call.
NO_DETAILS = Details(None, (), {}, None)


class Ledger:
    """Costs by place and operator; the places of the running modules form a stack.

    Args:
        places: the places of the model's modules.
        observer: is told of each entry.

    Attributes:
        failed_in: path of the innermost module that raised, or None.
        off_thread_module: path of a module that was called on another thread, or None.
    """

    def __init__(self, places: Places, observer: Observer | None = None) -> None:
        self._places = places
        self._observer = observer
        self._module_stack = [""]
        self._entries: dict[tuple[str, str], tuple[int, OpCost, int, bool]] = {}
        self.failed_in: str | None = None
        self.off_thread_module: str | None = None

    @property
    def place(self) -> str:
        """The place that operators are entered for now."""
        return self._module_stack[-1]

    @contextmanager
    def inside(self, module: str) -> Iterator[str]:
        """Enter operators for ``module`` within this context, which yields the place of it."""
        place = self._places.locate(module, self._module_stack[-1])
        self._module_stack.append(place)
        try:
            yield place
        except BaseException:
            if self.failed_in is None:  # outer modules see the same exception later
                self.failed_in = module
            raise
        finally:
            self._module_stack.pop()

    @contextmanager
    def redirect(self) -> Iterator["Ledger"]:
        """Send entries to a separate ledger, which is yielded, within this context."""
        separate = Ledger(self._places)
        kept, self._entries = self._entries, separate._entries
        observer, self._observer = self._observer, None
        try:
            yield separate
        finally:
            self._entries, self._observer = kept, observer

    def enter(
        self,
        operator: str,
        cost: OpCost | None,
        bytes_moved: int,
        call: Details = NO_DETAILS,
    ) -> tuple[str, str]:
        """Enter one call of an operator.

        Args:
            operator: its name.
            cost: its arithmetic; None if no rule covers it.
            bytes_moved: by the call.
            call: what it was given and returned.

        Returns:
            The place that the call was entered for, and the operator.
        """
        key = (self.place, operator)
        calls, spent, moved, counted = self._entries.get(key, (0, FREE, 0, True))
        self._entries[key] = (
            calls + 1,
            spent if cost is None or cost is FREE else spent + cost,
            moved + bytes_moved,
            counted and cost is not None,
        )
        if self._observer is not None:
            self._observer.watch(key, cost, bytes_moved, call)
        return key

    def collect_tallies(self) -> tuple[Tally, ...]:
        """Return all entries, in the order of first calls."""
        return tuple(
            Tally(operator, module, calls, cost, moved, counted)
            for (module, operator), (calls, cost, moved, counted) in self._entries.items()
        )
