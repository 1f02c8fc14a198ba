"""`count_block`: the cost of a block of the user's own code, counted while it runs."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Self

from torch import nn

from inspect_cost.calls.call import unwrap_compiled
from inspect_cost.counting.options import Cost, CountOptions, as_rule
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.aten.policies import select_rules
from inspect_cost.counting.torch.count import check_op_costs
from inspect_cost.counting.torch.gradients import GradientLedger
from inspect_cost.counting.torch.live.memory import LiveMemory
from inspect_cost.counting.torch.live.methods import Attribution, attribute_live
from inspect_cost.counting.torch.live.mode import LiveMode, WholeOperators
from inspect_cost.counting.torch.module_costs import find_module_rules
from inspect_cost.counting.torch.places import Places
from inspect_cost.counting.torch.storage import collect_storage
from inspect_cost.counting.torch.surroundings import surround_block
from inspect_cost.values.errors import UsageError, one_line
from inspect_cost.values.notes import Note
from inspect_cost.values.policy import DENSE, Policy


def count_block(
    *modules: nn.Module | Mapping[str, nn.Module],
    policy: Policy | str = DENSE,
    op_costs: Mapping[str, Cost] | None = None,
    module_costs: Mapping[Any, Cost] | None = None,
    title: str = "block",
) -> "CountedBlock":
    """Return a context manager that counts a block of your own code while it runs.

    What really runs on your own tensors is followed, operator by operator: forwards, gradients,
    steps of an optimiser. Values, modes and gradients are as without it. Afterwards
    ``block.report`` is a `CostReport`, and ``block`` has what that has: ``block.macs``.

    Layers run without their fast paths, and functions under `torch.compile` as they were written:
    both are kernels that hide what they compute. Only the thread that enters the block is followed.

    Args:
        *modules: those that costs are shown for, and whose parameters are counted. One is the
            report's root; of several, each is a child of it, called "0", "1" and so on, or by the
            keys of a dictionary. Without any, everything is at the root.
        policy: "dense", "valid", or a `Policy`; as for `count`.
        op_costs: costs of operators, as for `count`.
        module_costs: costs of modules as a whole, as for `count`.
        title: the report's name of the block.

    Raises:
        UsageError: something is no module, there is no such policy, or a key of ``module_costs``
            matches nothing. At the end of the block: a key of ``op_costs`` matches nothing.
    """
    options = CountOptions.of(policy=policy, op_costs=op_costs, module_costs=module_costs)
    return CountedBlock(_find_root(modules), options, title)


class CountedBlock:
    """A user's block of code that is counted; see `count_block`.

    Attributes:
        report: of the block; None until it is over.
    """

    report: CostReport | None = None

    def __init__(self, root: nn.Module, options: CountOptions, title: str) -> None:
        self._root, self._options, self._title = root, options, title
        self._rules = {id(m): rule for m, rule in find_module_rules(root, options.module_costs)}
        self._entered: ExitStack | None = None

    def __enter__(self) -> Self:
        if self._entered is not None:
            raise UsageError(
                "a block is counted once, and this one was entered before",
                "Make another one by count_block().",
            )
        places = Places(self._root)
        self._places, self._ledger = places, GradientLedger(places, self._root)
        self._stored = collect_storage(self._root, places)
        self._memory, self._applied = LiveMemory(), set[str]()
        self._mode = LiveMode(self._ledger, self._list_rules(), self._memory)
        inside = dict(self._root.named_modules())
        self._attribution = Attribution(inside, self._rules, self._ledger)
        with ExitStack() as entered:
            entered.enter_context(surround_block())
            entered.enter_context(attribute_live(self._attribution))
            entered.enter_context(WholeOperators())
            entered.enter_context(self._mode)
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        if self._entered is not None:
            self._entered.close()
        self._memory.clear()
        self.report = self._make_report(error)
        if kind is not None:
            return
        failure = self._mode.failure or self._attribution.failure
        if failure is not None:
            raise failure
        check_op_costs(self._options, self._applied, self.report)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the report, once there is one."""
        if self.report is None:
            raise AttributeError(f"{name}: the block is not over yet")
        return getattr(self.report, name)

    def _list_rules(self) -> dict[str, Any]:
        own = {
            name: as_rule("op_costs", name, cost, self._applied)
            for name, cost in self._options.op_costs.items()
        }
        return {**select_rules(self._options.policy), **own}

    def _make_report(self, error: BaseException | None) -> CostReport:
        (path, _kind, storage), *inner = self._stored
        return CostReport(
            model=self._title,
            modules=((path, self._title, storage), *inner),
            tallies=self._ledger.collect_tallies(),
            notes=tuple(_notes(error, self._ledger.off_thread_module)),
            policy=str(self._options.policy),
            peak_activation_bytes=self._memory.peak_bytes,
            aliases=self._places.aliases,
        )


def _notes(error: BaseException | None, elsewhere: str | None) -> Iterator[Note]:
    """Yield what a reader should know of a block: what is missing from it."""
    if error is not None:
        text = f"What ran until the block raised is counted: {one_line(error)}."
        yield Note("partial-block", text, "warning")
    if elsewhere is not None:
        text = f"{elsewhere or 'The module'} ran on another thread, which is not counted."
        yield Note("other-thread", text, "warning")


def _find_root(modules: tuple[Any, ...]) -> nn.Module:
    """Return the only module, or one that holds them all under their names."""
    named: dict[str, Any] = {}
    for given in modules:
        several = isinstance(given, Mapping)
        for name, module in given.items() if several else [(str(len(named)), given)]:
            _check(name, module, named)
            named[name] = unwrap_compiled(module)
    if len(modules) == 1 and not isinstance(modules[0], Mapping):
        return named["0"]  # type: ignore[no-any-return]  # it was checked
    root = nn.Module()
    root._modules.update(named)
    return root


def _check(name: Any, module: Any, taken: Mapping[str, Any]) -> None:
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"{type(module).__name__} is no torch.nn.Module, and has no paths to count by",
            "Pass modules, or a dictionary of them by name; all that runs is counted anyway.",
        )
    if not isinstance(name, str) or not name or "." in name or name in taken:
        raise UsageError(
            f"{name!r} is no name for a module of a block, or is there twice",
            "Give each module a name of its own, without dots.",
        )
