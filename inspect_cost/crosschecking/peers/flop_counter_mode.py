"""torch.utils.flop_counter.FlopCounterMode: a dispatch mode with formulas of contractions.

It gives 2 FLOPs for each MAC, and 0 for all else, without saying so: the operators that it met and
has no formula for are recorded beside it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from inspect_cost.calls.call import Call
from inspect_cost.calls.positional import positional
from inspect_cost.counting.torch.attribution import attribute_methods
from inspect_cost.crosschecking.results import Entry, PeerCount

FLOPS_PER_MAC = 2


def count_with_flop_counter_mode(call: Call) -> PeerCount:
    """Return its total, and its parts by module and operator."""
    counter = FlopCounterMode(display=False)
    watch = _Watch(counter)
    model, tensors = positional(call)
    attribute_methods(model.model, watch)  # type: ignore[arg-type]  # it needs inside() alone
    # The watch is around the counter, so that it sees what that has taken apart.
    with torch.no_grad(), watch, counter:
        model(*tensors)
    return PeerCount(counter.get_total_flops(), tuple(watch.entries()))


class _Watch(TorchDispatchMode):
    """Records which module is at work, what the counter adds, and what it has no formula for."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self._counter = counter
        self._at_work = [""]
        self._seen: Counter[tuple[str, Any]] = Counter()
        self._flops: Counter[tuple[str, Any]] = Counter()
        self._so_far: Counter[Any] = Counter()

    @contextmanager
    def inside(self, module: str) -> Iterator[None]:
        """Attribute operators to ``module`` while this lasts."""
        self._settle()
        self._at_work.append(module)
        try:
            yield
        finally:
            self._settle()
            self._at_work.pop()

    def _settle(self) -> None:
        """Attribute what the counter has added since the last time to the module at work."""
        total = Counter(self._counter.flop_counts["Global"])
        for operator, flops in (total - self._so_far).items():
            self._flops[self._at_work[-1], operator] += flops
        self._so_far = total

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Run one operator, and record that it ran."""
        self._seen[self._at_work[-1], func.overloadpacket] += 1
        return func(*args, **kwargs or {})

    def entries(self) -> Iterator[Entry]:
        """Yield every operator that ran, by module, with what the counter took it for."""
        self._settle()
        for module, operator in self._seen | self._flops:
            macs = self._flops[module, operator] // FLOPS_PER_MAC
            calls = self._seen[module, operator]
            known = operator in self._counter.flop_registry
            yield Entry(module, str(operator), macs, calls, known)
