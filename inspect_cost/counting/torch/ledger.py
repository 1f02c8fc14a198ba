"""The ledger of a count: which module is running, and what its operators have cost so far."""

from collections.abc import Iterator
from contextlib import contextmanager

from inspect_cost.counting.tally import Tally
from inspect_cost.counting.torch.places import Places
from inspect_cost.values.cost import FREE, OpCost


class Ledger:
    """Costs by place and operator; the places of the running modules form a stack.

    Args:
        places: the places of the model's modules.

    Attributes:
        failed_in: path of the innermost module that raised, or None.
        off_thread_module: path of a module that was called on another thread, or None.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._module_stack = [""]
        self._entries: dict[tuple[str, str], tuple[int, OpCost, int, bool]] = {}
        self.failed_in: str | None = None
        self.off_thread_module: str | None = None

    @property
    def place(self) -> str:
        """The place of the running module."""
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

    def move_to(self, place: str) -> None:
        """Enter operators for the module at ``place`` from now on, not for the running one."""
        self._module_stack[-1] = place

    @contextmanager
    def redirect(self) -> Iterator["Ledger"]:
        """Send entries to a separate ledger, which is yielded, within this context."""
        separate = Ledger(self._places)
        kept, self._entries = self._entries, separate._entries
        try:
            yield separate
        finally:
            self._entries = kept

    def enter(self, operator: str, cost: OpCost | None, bytes_moved: int) -> tuple[str, str]:
        """Enter one call of an operator; a cost of None means that no rule covers it.

        Returns:
            The place that the call was entered for, and the operator.
        """
        key = (self._module_stack[-1], operator)
        calls, spent, moved, counted = self._entries.get(key, (0, FREE, 0, True))
        self._entries[key] = (
            calls + 1,
            spent if cost is None or cost is FREE else spent + cost,
            moved + bytes_moved,
            counted and cost is not None,
        )
        return key

    def collect_tallies(self) -> tuple[Tally, ...]:
        """Return all entries, in the order of first calls."""
        return tuple(
            Tally(operator, module, calls, cost, moved, counted)
            for (module, operator), (calls, cost, moved, counted) in self._entries.items()
        )
