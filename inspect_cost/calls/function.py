"""A plain function as a module, so that what it refers to is counted, copied and put in eval mode.

``lambda x: decoder(encoder(x))`` refers to two modules. As children of a module they have paths,
parameters and modes; a copy of that module runs the function on the copies.
"""

import inspect
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from inspect_cost.calls.captured import Path, find_captured, place, replace_captured


@dataclass(frozen=True)
class Child:
    """Stands for a module among a function's arguments, which is a child of its module.

    Attributes:
        path: of the child.
    """

    path: Path


class Holder(nn.Module):
    """A list, or an object that is no module, in which a function finds some."""


class FunctionModule(nn.Module):
    """A module whose forward is a function; modules that the function refers to are its children.

    They have the names of the variables that hold them: "encoder", "nets.0", "pipeline.decoder".

    Attributes:
        function: the function.
        title: its name.
        tensors: tensors that it refers to, parameters apart.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        super().__init__()
        self.function = function
        self.tensors: dict[Path, Tensor] = {}
        self.title = name
        self._paths: list[Path] = []
        self._ready: tuple[weakref.ref[nn.Module], Callable[..., Any]] | None = None
        self.training = False
        for path, value in find_captured(function).items():
            self._adopt(path, value)

    def take_arguments(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make the modules among arguments children, and return the arguments without them."""
        named = zip(_parameter_names(self.function, len(args)), args, strict=True)
        taken = tuple(self._take(name, value) for name, value in named)
        return taken, {name: self._take(name, value) for name, value in kwargs.items()}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function on this module's children."""
        args, kwargs = self.give_arguments(args, kwargs)
        return self.bound(*args, **kwargs)

    @property
    def refers(self) -> bool:
        """Whether the function refers to a module or a tensor, or was given a module."""
        return bool(self._paths)

    @property
    def bound(self) -> Callable[..., Any]:
        """The function, referring to this module's children."""
        if self._ready is None or self._ready[0]() is not self:
            # Not yet, or this is a copy of the module that was made ready.
            captured = find_captured(self.function)
            own = {id(captured[p]): self._find(p) for p in self._paths if p in captured}
            self._ready = (weakref.ref(self), replace_captured(self.function, own))
        return self._ready[1]

    def give_arguments(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments with the children that `take_arguments` took out."""
        given: tuple[tuple[Any, ...], dict[str, Any]] = tree_map(self._give, (args, dict(kwargs)))
        return given

    def _take(self, name: str, value: Any) -> Any:
        def take(leaf: Any) -> Any:
            if not isinstance(leaf, nn.Module):
                return leaf
            known = [path for path in self._paths if self._find(path) is leaf]
            path = known[0] if known else place((name,), self._paths)
            if not known:
                self._adopt(path, leaf)
            return Child(path)

        return tree_map(take, value)

    def _give(self, leaf: Any) -> Any:
        return self._find(leaf.path) if isinstance(leaf, Child) else leaf

    def _adopt(self, path: Path, value: nn.Module | Tensor) -> None:
        """Register a module or a parameter under its path; lists and objects become modules."""
        self._paths.append(path)
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.tensors[path] = value if value.is_leaf else value.detach()
            return
        *outer, name = path
        holder: Any = self
        for part in outer:
            # Past add_module(), which refuses names such as "forward".
            holder = holder._modules.setdefault(part, Holder())
        members = holder._parameters if isinstance(value, nn.Parameter) else holder._modules
        members[name] = value
        self.training |= isinstance(value, nn.Module) and value.training

    def _find(self, path: Path) -> Any:
        """Return what is registered under a path."""
        if path in self.tensors:
            return self.tensors[path]
        *outer, name = path
        holder: Any = self
        for part in outer:
            holder = holder._modules[part]
        return holder._modules[name] if name in holder._modules else holder._parameters[name]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "FunctionModule":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch has no types here
        self.tensors = {path: fn(tensor) for path, tensor in self.tensors.items()}
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_ready": None}  # a weak reference cannot go to another process

    def _get_name(self) -> str:
        return self.title


def find_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a function; None if it has none, or does not tell."""
    try:
        return inspect.signature(function)
    except Exception:  # noqa: BLE001 - whatever an object's own look-up of attributes raises
        return None


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of this many positional parameters; numbers where they have none."""
    signature = find_signature(function)
    parameters = () if signature is None else signature.parameters.values()
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    names = [p.name for p in parameters if p.kind in kinds][:count]
    return names + [str(i) for i in range(len(names), count)]
