"""The guard of the caller's tensors: a count neither reads them in place of copies nor writes them.

Copies are made of all that a model refers to. What its code finds elsewhere, such as a global
variable of its file, cannot be replaced; so each operator's operands are looked at before it runs.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch._ops import OpOverload

from inspect_cost.counting.torch.memories import find_storage
from inspect_cost.values.errors import CountError


class WeightWrittenError(CountError):
    """The call writes to a parameter, whose memory its stand-in shares with the caller's model."""

    def __init__(self) -> None:
        super().__init__("the call writes to a parameter")


class Guard:
    """The tensors of the caller's model, and what may not be done to them.

    Args:
        model: the caller's model; None if it was made for the count.
        shared: tensors of it whose memory the stand-in shares, for reading only.
    """

    def __init__(self, model: nn.Module | None, shared: Iterable[Tensor] = ()) -> None:
        self._shared = {identify(tensor) for tensor in shared} - {None}
        self._written = False
        self._model = model
        # The tensors themselves are kept, so that no other object gets the identity of one.
        self._stored = {} if model is None else {id(t): t for t in _iter_stored(model)}
        memories = {identify(tensor) for tensor in self._stored.values()}
        self._memories = memories - {None} - self._shared

    def check(self, func: OpOverload, args: Iterable[Any], kwargs: dict[str, Any]) -> None:
        """Refuse an operator that reads what is the caller's, or writes what is shared.

        Raises:
            CountError: it reads a parameter or a buffer of the caller's model.
            WeightWrittenError: it writes to memory that the stand-in shares.
        """
        if self._stored:
            self._refuse_reading(args)
            if kwargs:
                self._refuse_reading(kwargs.values())
        if self._shared and func._schema.is_mutable:
            self._refuse_writing(func, tuple(args), kwargs)

    @contextmanager
    def insist(self) -> Iterator[None]:
        """Raise the error of a write again, even if code that was interrupted caught it.

        Raises:
            WeightWrittenError: an operator tried to write to shared memory.
        """
        try:
            yield
        except Exception:
            if self._written:
                raise WeightWrittenError from None
            raise
        if self._written:
            raise WeightWrittenError

    def _refuse_reading(self, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, Tensor):
                if self._is_the_callers(value):
                    raise CountError(
                        f"Internal error: the count reads the model's own {self._name(value)}, "
                        "not its copy",
                        "Something outside the model refers to it, such as a global variable: "
                        "let the model refer to it by an attribute.",
                    )
            elif isinstance(value, (list, tuple)):
                self._refuse_reading(value)

    def _is_the_callers(self, tensor: Tensor) -> bool:
        if id(tensor) in self._stored:
            return True
        return bool(self._memories) and not tensor.is_meta and identify(tensor) in self._memories

    def _name(self, tensor: Tensor) -> str:
        """Return the path of a tensor of the caller's model, or of one whose memory it shares."""
        if self._model is None:
            return "tensor"
        named = [*self._model.named_parameters(), *self._model.named_buffers()]
        same = (name for name, stored in named if stored is tensor)
        beside = (name for name, stored in named if identify(stored) == identify(tensor))
        return next(same, None) or next(beside, "tensor")

    def _refuse_writing(
        self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        for i, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            target = args[i] if i < len(args) else kwargs.get(argument.name)
            several = target if isinstance(target, (list, tuple)) else (target,)
            if any(isinstance(t, Tensor) and identify(t) in self._shared for t in several):
                self._written = True
                raise WeightWrittenError


def _iter_stored(model: nn.Module) -> Iterator[Tensor]:
    """Yield a model's parameters and buffers; faster than by their names."""
    for module in model.modules():
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                yield tensor


def identify(tensor: Tensor) -> int | None:
    """Return the identity of a tensor's memory; None if it has none, or none of its own."""
    storage = None if tensor.is_meta else find_storage(tensor)
    return None if storage is None else storage._cdata
