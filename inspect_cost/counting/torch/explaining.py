"""Explaining a cost: the calls of one module, or of one operator, are recorded while they count."""

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from inspect_cost.calls.call import Call
from inspect_cost.counting.explanation import CostExplanation, ExplainedCall, Formula, Operand
from inspect_cost.counting.options import CountOptions, suggest_names
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import ancestry
from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.count import count_call
from inspect_cost.counting.torch.ledger import Details
from inspect_cost.counting.torch.places import Places
from inspect_cost.counting.torch.symbols import find_formulas
from inspect_cost.values.cost import OpCost, total
from inspect_cost.values.errors import UsageError
from inspect_cost.values.policy import NAMED

VALID = NAMED["valid"]
#: Type of what is explained if it is no module.
OPERATOR = "operator"


def explain_call(call: Call, path: str, options: CountOptions) -> CostExplanation:
    """Count a call, and explain what one module or one operator costs in it.

    Args:
        call: of the caller's model.
        path: of a module, "" for all of the model; or the name of an operator: "aten.linear".
        options: how to count it.

    Raises:
        UsageError: nothing is called that, or as `count_call`.
        CountError: as `count_call`.
    """
    recorder = Recorder(path)
    report = count_call(call, options, watcher=recorder)
    kind = _find_type(report, recorder, path)
    valid = recorder
    if options.policy != VALID:
        valid = Recorder(path, with_formulas=False)
        count_call(call, replace(options, policy=VALID), watcher=valid)
    valid_costs = {each.key: each.cost for each in valid.calls}
    return CostExplanation(
        model=report.model,
        path=path,
        type=kind,
        inputs=recorder.inputs,
        outputs=recorder.outputs,
        policy=str(options.policy),
        calls=tuple(replace(each, valid_cost=valid_costs.get(each.key)) for each in recorder.calls),
        valid_cost=total(each.cost * each.times for each in valid.calls if each.cost),
    )


class Recorder:
    """Records the calls of one module with all in it, or of one operator.

    Args:
        path: of the module, or the operator's name.
        with_formulas: whether formulas are sought.

    Attributes:
        module: path of the module; None if there is none, so that an operator is meant.
        inputs: tensors that the module was given, of its first call.
        outputs: tensors that it returned then.
    """

    def __init__(self, path: str, *, with_formulas: bool = True) -> None:
        self._path, self._with_formulas = path, with_formulas

    def start(self, model: nn.Module, places: Places) -> None:
        """Begin with a stand-in of the model; what was recorded before is dropped."""
        self._times: Counter[tuple[Any, ...]] = Counter()
        self._first: dict[tuple[Any, ...], ExplainedCall] = {}
        self._aliases = places.aliases
        self.inputs: tuple[Operand, ...] = ()
        self.outputs: tuple[Operand, ...] = ()
        module = dict(model.named_modules(remove_duplicate=False)).get(self._path)
        self.module = next((p for p, each in model.named_modules() if each is module), None)
        if module is not None:
            module.register_forward_hook(self._keep_shapes, with_kwargs=True)

    @property
    def calls(self) -> Iterator[ExplainedCall]:
        """The calls, equal ones as one, in the order of their first occurrence."""
        for key, call in self._first.items():
            yield replace(call, times=self._times[key])

    def watch(self, key: tuple[str, str], cost: OpCost | None, moved: int, call: Details) -> None:
        """Record a call if it is of what is explained."""
        place, operator = key
        if not self._concerns(place, operator):
            return
        module, names = self._aliases.get(place, place), _list_names(call.operator)
        operands = tuple(_list_operands(names, call.args, call.kwargs))
        results = tuple(_describe(call.out, ""))
        same = operator, module, operands, results, cost, moved
        self._times[same] += 1
        if same not in self._first:
            formulas = _find_formulas(names, cost, call) if self._with_formulas else {}
            self._first[same] = ExplainedCall(
                operator, module, 1, operands, results, cost, None, moved, formulas
            )

    def _concerns(self, place: str, operator: str) -> bool:
        if self.module is None:
            return operator == self._path
        return any(self._aliases.get(p, p) == self.module for p in ancestry(place))

    def _keep_shapes(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
    ) -> None:
        """Keep the shapes of the module's first call."""
        if not self.outputs:
            names = list(inspect.signature(module.forward).parameters)
            self.inputs = tuple(_list_operands(names, args, kwargs))
            self.outputs = tuple(_describe(out, ""))


def _find_type(report: CostReport, recorder: Recorder, path: str) -> str:
    """Return the class of the module that was recorded, or that it is an operator.

    Raises:
        UsageError: it is neither.
    """
    types = {module: kind for module, kind, _ in report.modules}
    if recorder.module is not None:
        return types[recorder.module]
    if path in report.by_operator:
        return OPERATOR
    names = [*types, *report.by_operator]
    raise UsageError(
        f"no module and no operator of this call is called {path!r}",
        suggest_names(path, names, "modules and operators"),
        field="path",
    )


def _list_names(operator: Operator | None) -> list[str]:
    """Return the names of an operator's arguments as its users know them."""
    if operator is None:
        return []
    arguments = operator.func._schema.arguments
    return ["input" if a.name == "self" else a.name for a in arguments]


def _list_operands(
    names: Sequence[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[Operand]:
    """Yield the tensors among a call's arguments under their names."""
    numbered = [*names, *(str(i) for i in range(len(names), len(args)))]
    for name, value in (*zip(numbered, args, strict=False), *kwargs.items()):
        yield from _describe(value, name)


def _describe(value: Any, name: str) -> Iterator[Operand]:
    """Yield the tensors in a value, those of a list as ``name.0``, ``name.1``."""
    if isinstance(value, Tensor):
        yield Operand(name, tuple(value.shape), str(value.dtype).removeprefix("torch."))
    elif isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from _describe(each, f"{name}.{i}" if name else str(i))


def _find_formulas(names: list[str], cost: OpCost | None, call: Details) -> dict[str, Formula]:
    """Return the formulas of a call; none if its rule does not work on sizes alone."""
    operator = call.operator
    if not cost or operator is None or operator.rule is None:
        return {}
    try:
        formulas = find_formulas(operator.rule, names, call.out, call.args, call.kwargs)
    except Exception:  # noqa: BLE001 - a user's rule may do anything with a tensor
        return {}
    return {kind: each for kind, each in formulas.items() if each.value == getattr(cost, kind)}
