"""Tensors without values that a counted forward put outside of its model, such as into a cache.

A table of a class, of a file or of `functools.lru_cache` is filled by the first call and read by
all others, so what a count put there would break the caller's next call. It is taken out again.
"""

import functools
import gc
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from inspect_cost.calls.captured import is_opaque
from inspect_cost.counting.torch.memories import Memory, find_storage

#: Tuples in tables are looked for in tables in turn, this many times.
DEEPEST = 4


class Leftovers:
    """The tables beside a model as they were before a count, and how to make them so again.

    Args:
        model: the caller's model, whose classes and files are looked at.
    """

    def __init__(self, model: nn.Module) -> None:
        kinds = {kind for each in {type(m) for m in model.modules()} for kind in each.__mro__}
        own = [kind for kind in kinds if not is_opaque(kind.__module__) and kind is not object]
        files = {kind.__module__ for kind in own} & sys.modules.keys()
        spaces = [*own, *(sys.modules[name] for name in files)]
        inner = [v for space in spaces for v in vars(space).values() if _is_table(v)]
        self._before = [(place, _copy_entries(place)) for place in (*spaces, *inner)]

    def clear(self, memories: Iterable[Memory]) -> None:
        """Take tensors without values out of whatever holds them.

        Args:
            memories: those that outlive the call, other than in its model, inputs and results.
        """
        alive = [(memory.identity, memory()) for memory in memories]
        identities = {i for i, storage in alive if storage is not None and _is_empty(storage)}
        if not identities:
            return
        tensors = [t for t in _iter_tensors() if _identify(t) in identities]
        self._restore({id(tensor) for tensor in tensors})
        _evict(tensors, DEEPEST)

    def _restore(self, unwanted: set[int]) -> None:
        """Give names and keys that hold an unwanted value what they held before."""
        for place, before in self._before:
            for name, value in _copy_entries(place).items():
                if id(value) not in unwanted:
                    continue
                if name in before:
                    _assign(place, name, before[name])
                else:
                    _delete(place, name)


def _evict(values: list[Any], deepest: int) -> None:
    """Take values out of all dictionaries, lists, sets and caches that hold them."""
    unwanted = {id(value) for value in values}
    tuples: list[Any] = []
    for holder in gc.get_referrers(*values):
        if holder is values:
            continue
        if isinstance(holder, tuple):
            tuples.append(holder)
        else:
            _remove(holder, unwanted)
    if tuples and deepest:
        _evict(tuples, deepest - 1)


def _remove(holder: Any, unwanted: set[int]) -> None:
    if isinstance(holder, dict):
        if not holder.keys() & {"__module__", "__builtins__"}:  # a class's, a file's
            for key in [key for key, value in holder.items() if id(value) in unwanted]:
                del holder[key]
    elif isinstance(holder, (list, deque)):
        kept = [value for value in holder if id(value) not in unwanted]
        holder.clear()
        holder.extend(kept)
    elif isinstance(holder, set):
        holder -= {value for value in holder if id(value) in unwanted}
    elif isinstance(holder, functools._lru_cache_wrapper):
        holder.cache_clear()


def _iter_tensors() -> Iterator[Tensor]:
    """Yield all tensors of the process; by their types, as a proxy's class may not be asked."""
    return (value for value in gc.get_objects() if issubclass(type(value), Tensor))


def _identify(tensor: Tensor) -> int | None:
    storage = find_storage(tensor)
    return None if storage is None else storage._cdata


def _is_empty(storage: Any) -> bool:
    """Return whether a storage has no values."""
    return bool(storage.device.type == "meta")


def _is_table(value: Any) -> bool:
    """Return whether a value of a class or a file may be a place for results."""
    if isinstance(value, dict):
        return True
    kind = type(value)
    return kind.__dictoffset__ != 0 and not (callable(value) or is_opaque(kind.__module__))


def _copy_entries(place: Any) -> dict[Any, Any]:
    return dict(place) if isinstance(place, dict) else dict(vars(place))


def _assign(place: Any, name: Any, value: Any) -> None:
    if isinstance(place, dict):
        place[name] = value
    else:
        setattr(place, name, value)


def _delete(place: Any, name: Any) -> None:
    if isinstance(place, dict):
        del place[name]
    else:
        delattr(place, name)
