"""What a plain function refers to: the modules and tensors that it finds without being given them.

``lambda x: decoder(encoder(x))`` finds two modules in its closure or among its globals. Others wait
in a default, in a list, in an attribute of an object, or in a function that it calls.
"""

import copy
import dis
import functools
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from types import (
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

from torch import Tensor, nn

#: Names from the outermost variable inwards: ("pipeline", "decoder").
Path = tuple[str, ...]

#: What holds values by keys; `functools.singledispatch` keeps functions in one that is weak.
DICTIONARIES = (dict, weakref.WeakKeyDictionary, weakref.WeakValueDictionary)

#: What a closure's cell holds before its variable is assigned.
UNASSIGNED = object()

#: Libraries whose functions and objects hold no module of the user's; looking there takes time.
OPAQUE = (sys.stdlib_module_names | {"torch", "numpy"}) - {"collections"}


def find_captured(function: Any) -> dict[Path, nn.Module | Tensor]:
    """Return the modules and tensors that a function refers to, each once, by the way to them.

    Functions on the way have no name in the path: ``net``, which a decorated function uses, is
    ("net",). Modules are not searched.
    """
    found: dict[Path, nn.Module | Tensor] = {}
    _search(function, (), found, set())
    return found


def replace_captured(function: Any, replacements: Mapping[int, Any]) -> Any:
    """Return a function that refers to other modules and tensors; itself if nothing changes.

    Args:
        function: what `find_captured` searched.
        replacements: from the identity of a module or a tensor to what stands in its place.
    """
    return _rebuild(function, dict(replacements))


def holds_state(function: FunctionType) -> bool:
    """Return whether a function was given something that it may change: a list, an object."""
    seen: set[int] = set()
    stack: list[Any] = [function]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            stack += [] if is_opaque(value.__module__) else _list_given(value)
        elif isinstance(value, (tuple, MethodType, functools.partial)):
            stack += [part for _, part in _parts(value)]
        elif isinstance(value, (list, dict, set)) or _is_open(value):
            return True
    return False


def _list_given(function: FunctionType) -> list[Any]:
    """List what a function holds by itself: in its closure, its defaults and its attributes."""
    given = [read_cell(cell) for cell in function.__closure__ or ()]
    given += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [*given, *vars(function).values()]


def place(path: Path, taken: Iterable[Path]) -> Path:
    """Return a path beside the taken ones, none of which is inside another: "net", "net_2" ..."""
    first, *inner = path
    free, count = path, 1
    while any(all(a == b for a, b in zip(free, other, strict=False)) for other in taken):
        count += 1
        free = (f"{first}_{count}", *inner)
    return free


def _search(value: Any, path: Path, found: dict[Path, Any], seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, (nn.Module, Tensor)):
        found[place(path or ("self",), found)] = value
        return
    for name, part in _parts(value):
        transparent = not name or isinstance(part, (FunctionType, functools.partial))
        _search(part, path if transparent else (*path, name), found, seen)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value refers to, with the names that it has there."""
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, MethodType):
        yield from (("", value.__func__), ("", value.__self__))
    elif isinstance(value, weakref.ref):
        yield "", value()
    elif isinstance(value, functools.partial):
        yield from (("", value.func), ("", value.args), ("", value.keywords))
    elif isinstance(value, (list, tuple)):
        yield from ((str(i), item) for i, item in enumerate(value))
    elif isinstance(value, DICTIONARIES):
        yield from ((str(key), item) for key, item in value.items())
    elif _is_open(value):
        yield from list_attributes(value).items()


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, read_cell(cell)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    yield from zip(names[len(names) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()
    yield from vars(function).items()
    if is_opaque(function.__module__):
        return  # of a library's function, what it was given may lead to something: a wrapper's
    for name in list_global_names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def list_global_names(code: CodeType) -> dict[str, None]:
    """Return, as keys, the globals that code reads; ``co_names`` has its attributes too."""
    reads = (i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL")
    names = dict.fromkeys(reads)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a lambda, a comprehension
            names |= list_global_names(constant)
    return names


def _is_open(value: Any) -> bool:
    """Return whether a value is an object of the user's, whose attributes may hold modules."""
    if isinstance(value, SimpleNamespace):
        return True
    kind = type(value)
    if issubclass(kind, (type, ModuleType)) or is_opaque(kind.__module__):
        return False
    return kind.__dictoffset__ != 0 or bool(_list_slots(kind))


def list_attributes(value: Any) -> dict[str, Any]:
    """Return an object's attributes, those in slots included; none that it makes up when asked."""
    slots = {
        name: slot.__get__(value)
        for name, slot in _list_slots(type(value)).items()
        if _is_filled(slot, value)
    }
    own = value.__dict__ if type(value).__dictoffset__ else {}
    return {**slots, **own}


def _list_slots(kind: type) -> dict[str, Any]:
    return {
        name: member
        for base in reversed(kind.__mro__)
        if "__slots__" in vars(base)  # types written in C have members without
        for name, member in vars(base).items()
        if isinstance(member, MemberDescriptorType)
    }


def _is_filled(slot: Any, value: Any) -> bool:
    try:
        slot.__get__(value)
    except AttributeError:
        return False
    return True


def is_opaque(module: str | None) -> bool:
    """Return whether a module of Python's belongs to a library that holds nothing of the user's."""
    return (module or "").partition(".")[0] in OPAQUE


def read_cell(cell: CellType) -> Any:
    """Return what a closure's cell holds; `UNASSIGNED` if that is nothing yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNASSIGNED


def _rebuild(value: Any, known: dict[int, Any]) -> Any:
    """Return a value with replacements inside; as `copy.deepcopy`, but only where one is."""
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = value
    if isinstance(value, FunctionType):
        return _rebuild_function(value, known)
    if isinstance(value, (MethodType, functools.partial, tuple, weakref.ref)):
        return _rebuild_whole(value, known)
    if isinstance(value, (list, *DICTIONARIES)) or _is_open(value):
        return _rebuild_contents(value, known)
    return value


def _rebuild_function(function: FunctionType, known: dict[int, Any]) -> Any:
    # The twin is known before it is filled, as a function may refer to itself.
    cells = tuple(CellType() for _ in function.__closure__ or ())
    space = dict(function.__globals__)
    twin = FunctionType(function.__code__, space, function.__name__, None, cells)
    twin.__qualname__, twin.__module__ = function.__qualname__, function.__module__
    known[id(function)] = twin
    changed = _fill(twin, function, known)
    if not changed:
        known[id(function)] = function
    return known[id(function)]


def _fill(twin: FunctionType, function: FunctionType, known: dict[int, Any]) -> bool:
    """Give a twin what its original refers to, replaced; return whether anything is."""
    pairs: list[tuple[Any, Any]] = []
    for cell, original in zip(twin.__closure__ or (), function.__closure__ or (), strict=True):
        if (content := read_cell(original)) is not UNASSIGNED:
            cell.cell_contents = _rebuild(content, known)
            pairs.append((cell.cell_contents, content))
    opaque = is_opaque(function.__module__)
    names = {} if opaque else list_global_names(function.__code__)
    for name in names.keys() & function.__globals__.keys():
        twin.__globals__[name] = _rebuild(function.__globals__[name], known)
        pairs.append((twin.__globals__[name], function.__globals__[name]))
    twin.__defaults__ = _rebuild(function.__defaults__, known)
    twin.__kwdefaults__ = _rebuild(function.__kwdefaults__, known)
    for name, value in vars(function).items():
        vars(twin)[name] = _rebuild(value, known)
        pairs.append((vars(twin)[name], value))
    pairs.append((twin.__defaults__, function.__defaults__))
    pairs.append((twin.__kwdefaults__, function.__kwdefaults__))
    return any(new is not old and new is not twin for new, old in pairs)


def _rebuild_whole(value: Any, known: dict[int, Any]) -> Any:
    """Return a new method, partial or tuple if one of its parts is new."""
    before = [part for _, part in _parts(value)]
    after = [_rebuild(part, known) for part in before]
    if all(new is old for new, old in zip(after, before, strict=True)):
        return value
    if isinstance(value, (MethodType, weakref.ref)):
        known[id(value)] = type(value)(*after)
    elif isinstance(value, functools.partial):
        function, args, keywords = after
        known[id(value)] = functools.partial(function, *args, **keywords)
    else:  # a named tuple has the constructor of its own fields
        make = getattr(type(value), "_make", type(value))
        known[id(value)] = make(after)
    return known[id(value)]


def _rebuild_contents(value: Any, known: dict[int, Any]) -> Any:
    """Return a shallow copy of a list, a dictionary or an object if one of its parts is new."""
    twin = _copy_shallow(value)
    if twin is value:
        return value
    known[id(value)] = twin
    changed = False
    if isinstance(value, (list, *DICTIONARIES)):
        for key, part in list(enumerate(value) if isinstance(value, list) else value.items()):
            twin[key] = _rebuild(part, known)
            changed |= twin[key] is not part
    if not isinstance(value, list) and _is_open(value):
        for name, part in list_attributes(value).items():
            new = _rebuild(part, known)
            object.__setattr__(twin, name, new)
            changed |= new is not part
    if not changed:
        known[id(value)] = value
    return known[id(value)]


def _copy_shallow(value: Any) -> Any:
    """Return a copy; the value itself if it refuses."""
    if isinstance(value, (list, *DICTIONARIES)):
        return copy.copy(value)
    try:
        twin = object.__new__(type(value))
    except TypeError:  # C makes it, as a SimpleNamespace
        return _copy_by_itself(value)
    for name, part in list_attributes(value).items():
        object.__setattr__(twin, name, part)
    return twin


def _copy_by_itself(value: Any) -> Any:
    try:
        return copy.copy(value)
    except Exception:  # noqa: BLE001 - whatever an object's own copying raises
        return value
