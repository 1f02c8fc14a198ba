"""Copies of whatever a model or an input holds, member by member.

`copy.deepcopy` gives up on a whole object for one member that cannot be copied (a lock, a tensor
with a history), and shares every function. Here only that member is shared, histories are left
behind, and functions that lead to a module or a tensor refer to its copy.
"""

import copy
import copyreg
import functools
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import is_fake, unwrap_compiled
from inspect_cost.calls.captured import (
    UNASSIGNED,
    find_captured,
    holds_state,
    is_opaque,
    list_attributes,
    list_global_names,
    read_cell,
)
from inspect_cost.calls.function import FunctionModule
from inspect_cost.counting.torch.contents import is_wrapper, rebuild
from inspect_cost.counting.torch.distributed import refuse_sharded, run_locally
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.values.errors import CountError

T = TypeVar("T")

#: Exact types whose values are their own copies; checking for these first saves most of the time.
IMMUTABLE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device}
    | {range, ModuleType, type(Ellipsis), type(NotImplemented)}
)

#: Attribute in which a compiled function keeps the one that was compiled.
COMPILED_FROM = "_torchdynamo_orig_callable"


class Copier:
    """Copies values that may refer to one another: what was copied once is that copy from then on.

    It has to live as long as the copies are used, since it holds what only weak references hold.

    Attributes:
        memo: copy of each object by its identity, as `copy.deepcopy` keeps it.
    """

    def __init__(self) -> None:
        self.memo: dict[Any, Any] = {}
        self._kept: list[Any] = []  # so that no identity is used again

    def copy(self, value: Any) -> Any:
        """Copy a value; what cannot be copied (a lock, a handle) is returned itself."""
        kind = type(value)
        if kind in IMMUTABLE or (kind is tuple and all(type(item) in IMMUTABLE for item in value)):
            return value
        if id(value) in self.memo:
            return self.memo[id(value)]
        make = BY_TYPE.get(kind)
        if make is not None:
            return make(self, value)
        if isinstance(value, nn.Module):
            return self._copy_module(value)
        if isinstance(value, Tensor):
            return self._register(value, copy_tensor(value, self.memo))
        return value if isinstance(value, type) else self._copy_object(value)

    def copy_inputs(self, inputs: T) -> T:
        """Copy a call's inputs, because a forward may write to them or store results in them."""
        for leaf in tree_leaves(inputs):
            if isinstance(leaf, Tensor):
                self._register(leaf, drop_values(leaf) if is_fake(leaf) else leaf.detach().clone())
        copied: T = self.copy(inputs)
        return copied

    def _register(self, value: Any, twin: T) -> T:
        self.memo[id(value)] = twin
        self._kept.append(value)
        return twin

    def _copy_module(self, module: nn.Module) -> nn.Module:
        """Copy a module and everything below it, except what was copied already."""
        original = unwrap_compiled(module)
        if original is not module:  # references to a compiled module become those to its original
            copied: nn.Module = self._register(module, self.copy(original))
            return copied
        if isinstance(module, torch.jit.ScriptModule):
            raise CountError(
                f"{type(module).__name__} is compiled TorchScript, which cannot be copied",
                "Count the module that it was scripted from, or traced from.",
            )
        refuse_sharded(module)
        if isinstance(module, FunctionModule):
            self._register(module.function, self._copy_beside_modules(module.function))
        # Not the class's own __new__: torch.fx's makes a class that lacks the graph's forward.
        # Registered before the attributes, which may refer back to the module.
        twin: nn.Module = self._register(module, object.__new__(type(module)))
        attributes = vars(twin)
        for name, value in vars(module).items():
            attributes[name] = self.copy(value)
        _prepare(twin)
        return twin

    def _copy_beside_modules(self, function: Any) -> Any:
        """Copy what a function may change, other than what it is bound to later: its children."""
        copier = Copier()
        copier.memo.update((id(value), value) for value in find_captured(function).values())
        self._kept.append(copier)
        return copier.copy(function)

    def _copy_dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        twin = self._register(value, type(value)())
        if value:  # a module has a dozen that are empty
            copied = self.copy
            twin.update(
                (key if type(key) is str else copied(key), copied(item))
                for key, item in value.items()
            )
        return twin

    def _copy_list(self, value: list[Any]) -> list[Any]:
        twin: list[Any] = self._register(value, [])
        twin.extend(map(self.copy, value))
        return twin

    def _copy_collection(self, value: Iterable[Any]) -> Any:
        """Copy a tuple or a set, neither of which can hold itself directly."""
        items = [self.copy(item) for item in value]
        if id(value) in self.memo:  # it was reached again through an item
            return self.memo[id(value)]
        return self._register(value, type(value)(items))  # type: ignore[call-arg]

    def _copy_method(self, method: MethodType) -> MethodType:
        return self._register(
            method, MethodType(self.copy(method.__func__), self.copy(method.__self__))
        )

    def _copy_builtin(self, function: BuiltinFunctionType) -> Any:
        """Copy a method of a list or the like, as ``self.results.append``; share a function."""
        owner = function.__self__
        twin = owner if isinstance(owner, (type, ModuleType)) else self.copy(owner)
        made = function if twin is owner else getattr(twin, function.__name__)
        return self._register(function, made)

    def _copy_mapping_proxy(self, proxy: MappingProxyType[Any, Any]) -> Any:
        return self._register(proxy, MappingProxyType(self._copy_dict(dict(proxy))))

    def _copy_partial(self, partial: functools.partial[Any]) -> functools.partial[Any]:
        function, args, keywords = map(self.copy, (partial.func, partial.args, partial.keywords))
        twin = self._register(partial, functools.partial(function, *args, **keywords))
        vars(twin).update(self.copy(vars(partial)))
        return twin

    def _copy_cached_function(self, cached: Any) -> Any:
        """Copy a function with a `functools` cache; the copy begins with an empty one."""
        remember = functools.lru_cache(**cached.cache_parameters())
        return self._register(cached, remember(self.copy(cached.__wrapped__)))

    def _copy_function(self, function: FunctionType) -> Any:
        """Copy a function that leads to modules, tensors or what it may change; share any other."""
        if COMPILED_FROM in vars(function):
            return self._register(function, self.copy(vars(function)[COMPILED_FROM]))
        if not (find_captured(function) or holds_state(function)):
            return self._register(function, function)
        leading = _list_leading_globals(function)
        space = dict(function.__globals__) if leading else function.__globals__
        cells = tuple(map(self._copy_cell, function.__closure__ or ()))
        twin = FunctionType(function.__code__, space, function.__name__, None, cells)
        self._register(function, twin)  # before it is filled, as it may refer to itself
        space.update({name: self.copy(space[name]) for name in leading})
        self._fill_function(twin, function)
        return twin

    def _copy_cell(self, cell: CellType) -> CellType:
        return self.memo[id(cell)] if id(cell) in self.memo else self._register(cell, CellType())

    def _fill_function(self, twin: FunctionType, function: FunctionType) -> None:
        for own, cell in zip(twin.__closure__ or (), function.__closure__ or (), strict=True):
            if (content := read_cell(cell)) is not UNASSIGNED:
                own.cell_contents = None
                own.cell_contents = self.copy(content)
        twin.__defaults__ = self.copy(function.__defaults__)
        twin.__kwdefaults__ = self.copy(function.__kwdefaults__)
        twin.__qualname__, twin.__module__ = function.__qualname__, function.__module__
        vars(twin).update((name, self.copy(item)) for name, item in vars(function).items())

    def _copy_reference(self, reference: Callable[[], Any]) -> Any:
        """Point a weak reference to the copy of what it refers to, if that is worth a copy."""
        target = reference()
        if target is None or not (id(target) in self.memo or _leads_somewhere(target)):
            return reference
        twin = self.copy(target)
        self._kept.append(twin)
        kind: Any = type(reference)
        return self._register(reference, kind(twin))

    def _copy_proxy(self, proxy: Any) -> Any:
        target = proxy.__repr__.__self__
        twin = self.copy(target)
        self._kept.append(twin)
        return self._register(proxy, weakref.proxy(twin))

    def _copy_weak_collection(self, value: Any) -> Any:
        """Copy a weak dictionary or set, with copies of what its references refer to."""
        twin = self._register(value, type(value)())
        items = [self.copy(item) for item in (value.items() if hasattr(value, "items") else value)]
        self._kept.append(items)
        twin.update(items)
        return twin

    def _copy_object(self, value: Any) -> Any:
        """Copy an object in its own way, else by its attributes."""
        try:
            own = getattr(value, "__deepcopy__", None)
            twin = own(self.memo) if own is not None else self._reconstruct(value)
        except CountError:
            raise
        except Exception:  # noqa: BLE001 - whatever an object's own copying raises
            self.memo.pop(id(value), None)
            twin = self._copy_attributes(value)
        return self._register(value, twin)

    def _reconstruct(self, value: Any) -> Any:
        """Make an object anew from what it would be pickled as, like `copy.deepcopy`."""
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce else value.__reduce_ex__(4)
        if isinstance(reduced, str):  # the name of something global
            return value
        make, args, state, items, pairs = (*reduced, None, None, None)[:5]
        twin = self._register(value, make(*(self.copy(arg) for arg in args)))
        if state is not None:
            self._kept.append(state)
            _set_state(twin, self.copy(state))
        for item in items or ():
            twin.append(self.copy(item))
        for key, item in pairs or ():
            twin[self.copy(key)] = self.copy(item)
        return twin

    def _copy_attributes(self, value: Any) -> Any:
        """Copy an object that refuses, attribute by attribute; a library's is shared."""
        kind = type(value)
        if is_opaque(kind.__module__):
            return value
        try:
            twin = self._register(value, object.__new__(kind))
        except TypeError:  # C makes it
            return value
        for name, item in list_attributes(value).items():
            object.__setattr__(twin, name, self.copy(item))
        return twin


def copy_tensor(tensor: Tensor, memo: dict[Any, Any]) -> Tensor:
    """Copy a tensor, without the history that it may have, so that it can be written to."""
    if is_fake(tensor):
        return drop_values(tensor)
    if is_wrapper(tensor):
        return rebuild(tensor, lambda part: copy_tensor(part, memo))
    if tensor.is_leaf and not tensor.is_inference():
        try:
            copied: Tensor = copy.deepcopy(tensor, memo)
        except Exception:  # noqa: BLE001 - whatever attributes of the tensor raise
            return tensor.detach().clone()
        return copied
    return tensor.detach().clone()


def _leads_somewhere(value: Any) -> bool:
    """Return whether a value is or leads to a module or a tensor."""
    return bool(find_captured(value))


def _list_leading_globals(function: FunctionType) -> list[str]:
    """List the global variables that a function reads and that lead to modules or tensors."""
    space = function.__globals__
    if is_opaque(function.__module__):
        return []
    used = (name for name in list_global_names(function.__code__) if name in space)
    return [name for name in used if _leads_somewhere(space[name])]


def _prepare(twin: nn.Module) -> None:
    """Make a copied module run on this thread, in this process, and without a compiler."""
    twin._compiled_call_impl = None
    if isinstance(twin, nn.TransformerEncoder):
        twin.use_nested_tensor = False  # counts are dense: padding counts too
    if isinstance(twin, nn.DataParallel):
        twin.device_ids = []  # run on this thread: operators on others would go unseen
    if isinstance(twin, nn.parallel.DistributedDataParallel):
        run_locally(twin)


def _set_state(twin: Any, state: Any) -> None:
    """Give an object its state, by its own method if it has one."""
    if hasattr(twin, "__setstate__"):
        twin.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes:
        vars(twin).update(attributes)
    for name, item in (slots or {}).items():
        object.__setattr__(twin, name, item)


#: How values of these exact types are copied.
BY_TYPE: dict[type, Callable[[Copier, Any], Any]] = {
    dict: Copier._copy_dict,
    OrderedDict: Copier._copy_dict,
    list: Copier._copy_list,
    tuple: Copier._copy_collection,
    set: Copier._copy_collection,
    frozenset: Copier._copy_collection,
    FunctionType: Copier._copy_function,
    MethodType: Copier._copy_method,
    BuiltinFunctionType: Copier._copy_builtin,
    MappingProxyType: Copier._copy_mapping_proxy,
    functools.partial: Copier._copy_partial,
    functools._lru_cache_wrapper: Copier._copy_cached_function,
    weakref.ref: Copier._copy_reference,
    weakref.WeakMethod: Copier._copy_reference,
    weakref.ProxyType: Copier._copy_proxy,
    weakref.CallableProxyType: Copier._copy_proxy,
    weakref.WeakValueDictionary: Copier._copy_weak_collection,
    weakref.WeakKeyDictionary: Copier._copy_weak_collection,
    weakref.WeakSet: Copier._copy_weak_collection,
}
