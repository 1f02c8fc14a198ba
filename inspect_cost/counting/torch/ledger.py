"""The book of a count: which module is at work, and what each operator of it has cost so far."""

from collections.abc import Iterator
from contextlib import contextmanager

from inspect_cost.counting.report import Tally
from inspect_cost.values.cost import FREE, OpCost


class Ledger:
    """Entries by module and operator; the modules at work form a stack.

    Attributes:
        failed_in: path of the innermost module that an exception left first, or None.
        elsewhere: path of a module that was called on another thread, or None.
    """

    def __init__(self) -> None:
        self._module_stack = [""]
        self._entries: dict[tuple[str, str], tuple[int, OpCost, int, bool]] = {}
        self.failed_in: str | None = None
        self.off_thread_module: str | None = None

    @contextmanager
    def inside(self, module: str) -> Iterator[None]:
        """While this lasts, operators are entered for ``module``."""
        self._module_stack.append(module)
        try:
            yield
        except BaseException:
            if self.failed_in is None:
                self.failed_in = module
            raise
        finally:
            self._module_stack.pop()

    def move_to(self, module: str) -> None:
        """From now on, operators are entered for ``module`` instead of the one at work."""
        self._module_stack[-1] = module

    @contextmanager
    def redirect(self) -> Iterator["Ledger"]:
        """While this lasts, what is entered here goes into a book of its own, which is yielded."""
        book = Ledger()
        kept, self._entries = self._entries, book._entries
        try:
            yield book
        finally:
            self._entries = kept

    def enter(self, operator: str, cost: OpCost | None, bytes_moved: int) -> tuple[str, str]:
        """One call of an operator; a cost of None says that nothing tells it.

        Returns:
            The module that it was entered for, and the operator.
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
        """All entries, in the order of the first calls."""
        return tuple(
            Tally(operator, module, calls, cost, moved, counted)
            for (module, operator), (calls, cost, moved, counted) in self._entries.items()
        )
