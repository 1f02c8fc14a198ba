"""Placement of operators: on real values as long as these are known, on the meta device otherwise.

Parameters are on the meta device: they have shapes but no values. Everything else keeps its values
until it is combined with something that has none. So code that reads the values of masks, lengths
and positions runs as usual, while the arithmetic of the network takes neither time nor memory.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, UntypedStorage
from torch._ops import OpOverload
from torch.utils._pytree import tree_map

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.choices import Choices
from inspect_cost.counting.torch.contents import is_sparse, is_wrapper, rebuild
from inspect_cost.counting.torch.meta import META_KERNELS
from inspect_cost.counting.torch.meta.indices import refuse_indices
from inspect_cost.counting.torch.meta.refusals import TRAINING, refuse

META = torch.device("meta")

#: Results with more elements never get values, which would take memory and time.
LARGEST_REAL_RESULT = 2**24

#: Operators that read only the shape of a tensor, and fill it with known values.
FROM_SHAPE = frozenset(
    f"aten.{name}" for name in "new_zeros new_ones new_full zeros_like ones_like full_like".split()
)


class Placement:
    """The choice, call by call, of the device of an operator's operands and result.

    Args:
        home: the device that the caller's model and inputs are on.
        keeps_numbers: whether new numbers have values, not only new integers and booleans.
        largest: results with more elements that are made from nothing get no values.
    """

    def __init__(
        self,
        home: torch.device,
        *,
        keeps_numbers: bool = True,
        largest: int = LARGEST_REAL_RESULT,
    ) -> None:
        self._home = home
        self._keeps_numbers = keeps_numbers
        self._largest = largest
        # Real memory that something without values was written to, by its identity. Weak values:
        # an entry goes when its memory is freed, before other memory can take that identity.
        self._overwritten: WeakValueDictionary[int, UntypedStorage] = WeakValueDictionary()

    def run(
        self,
        operator: Operator,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        choices: Choices | None = None,
    ) -> Any:
        """Run an operator, after moving its operands to a common device.

        Args:
            operator: the operator.
            args: its positional arguments.
            kwargs: its keyword arguments.
            choices: makes its result known where its operands are not; None leaves it unknown.
        """
        unknown, real = self._count_operands(args, kwargs)
        # All known: run for real. All on meta: nothing to move. Else move the real ones to meta.
        if not unknown:
            return self._run_at_home(operator, args, kwargs, makes=not real)
        if operator.name in FROM_SHAPE and "device" not in kwargs:
            return self._run_from_shape(operator.func, args, kwargs)
        if choices is not None:
            return self._choose(choices, operator, args, kwargs)
        if not real:
            return run_without_values(operator, args, kwargs)
        refuse_indices(operator, args, self.is_unknown)
        if operator.name == "aten.index":
            # On meta, a mask's result has no definite shape; the positions it selects have.
            args = (args[0], _find_positions(args[1]))
        on_meta = {name: _move_to_meta(value) for name, value in kwargs.items()}
        result = run_without_values(operator, tuple(map(_move_to_meta, args)), on_meta)
        return self._record_mutation(operator, args, kwargs, result) if operator.mutates else result

    def _count_operands(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, int]:
        """Count the tensors without known values, and those with real memory.

        A tensor may be among both: real memory whose values were overwritten by unknown ones.
        """
        unknown = real = 0
        stack = [*args, *kwargs.values()]
        while stack:
            value = stack.pop()
            if isinstance(value, Tensor):
                unknown += self.is_unknown(value)
                real += not value.is_meta
            elif isinstance(value, (list, tuple)):
                stack.extend(value)
        return unknown, real

    def is_unknown(self, tensor: Tensor) -> bool:
        """Return whether a tensor has no values, or unknown ones were written to it."""
        # The dictionary is nearly always empty; then a tensor's identity need not be looked up.
        if tensor.is_meta or not self._overwritten:
            return tensor.is_meta
        return identify_memory(tensor) in self._overwritten

    def _run_at_home(
        self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], *, makes: bool
    ) -> Any:
        """Run an operator whose operands all have values; so has its result, unless it is huge.

        Args:
            operator: the operator.
            args: its positional arguments.
            kwargs: its keyword arguments.
            makes: whether it has no tensor operands, so that it creates data from nothing.
        """
        if not operator.takes_device:
            return operator.func(*args, **kwargs)
        if makes:
            shape_only = operator.func(*args, **{**kwargs, "device": META})
            if isinstance(shape_only, Tensor) and shape_only.numel() > self._largest:
                return shape_only
        at_home = tree_map(self._replace_meta_device, (args, kwargs))
        if not self._keeps_numbers and at_home != (args, kwargs):
            shape_only = operator.func(*args, **kwargs)
            if not _is_of_integers(shape_only):
                return shape_only
        args, kwargs = at_home
        return operator.func(*args, **kwargs)

    def _run_from_shape(
        self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Fill the shape of an unknown tensor with known values; the result has values."""
        shape_only = func(*args, **kwargs)
        kept = self._keeps_numbers or _is_of_integers(shape_only)
        if not kept or shape_only.numel() > self._largest:
            return shape_only
        return func(*args, **kwargs, device=self._home)

    def _choose(
        self, choices: Choices, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run an operator that chooses by unknown numbers; what it chose has values."""
        options = {name: value for name, value in kwargs.items() if name != "generator"}
        shapes = run_without_values(operator, tuple(map(_move_to_meta, args)), options)
        return choices.make(operator, args, kwargs, shapes, self._home)

    def _replace_meta_device(self, value: Any) -> Any:
        return self._home if value == META and isinstance(value, torch.device) else value

    def _record_mutation(
        self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Any:
        """Mark real memory that an operator wrote to without values as unknown from now on.

        The operator ran on stand-ins of its operands, so the result is replaced by the real target.
        """
        for i, argument in enumerate(operator.func._schema.arguments):
            if not (argument.alias_info and argument.alias_info.is_write):
                continue
            target = args[i] if i < len(args) else kwargs.get(argument.name)
            if isinstance(target, Tensor):
                if not target.is_meta:
                    self._overwritten[identify_memory(target)] = target.untyped_storage()
                result = target
        return result


def _is_of_integers(result: Any) -> bool:
    """Return whether a result is a tensor that no gradient can flow through."""
    return isinstance(result, Tensor) and not (result.is_floating_point() or result.is_complex())


def drop_values(tensor: Tensor) -> Tensor:
    """Return a tensor of the same shape, strides and type on meta; a sparse one keeps its values.

    The number of a sparse tensor's entries is part of its size, and is lost on the meta device.
    One that wraps others remains one, so that its own operators work on what is stored.
    """
    if is_wrapper(tensor):
        return rebuild(tensor, drop_values)
    if is_sparse(tensor):
        return tensor.detach()
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def run_without_values(operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator on shapes: by our own kernel if it has one, else by torch's meta kernel."""
    kernel = META_KERNELS.get(operator.full_name) or META_KERNELS.get(operator.name)
    target = kwargs.get("out")
    plain = {name: value for name, value in kwargs.items() if name != "out"}
    result = kernel(*args, **plain) if kernel else None
    if result is not None and (target is None or is_alike(result, target)):
        return result if target is None else target
    if kernel or operator.name in TRAINING:
        refuse(operator, args, plain)
    if operator.takes_device:
        args, kwargs = tree_map(_replace_device, (args, kwargs))
    return operator.func(*args, **kwargs)


def is_alike(result: Any, target: Any) -> bool:
    """Return whether a result can be written to ``target`` without resizing or casting."""
    both = isinstance(result, Tensor) and isinstance(target, Tensor)
    return both and result.shape == target.shape and result.dtype == target.dtype


def _find_positions(indices: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Replace known masks by the positions that they select, whose number determines a shape."""
    positions: list[Tensor | None] = []
    for index in indices:
        if index is None or index.is_meta or index.dtype is not torch.bool:
            positions.append(index)
        else:
            positions.extend(index.nonzero(as_tuple=True))
    return positions


def _move_to_meta(value: Any) -> Any:
    """Drop the values of an operand, or of those in a list."""
    if isinstance(value, Tensor):
        return value if value.is_meta else drop_values(value)
    return [_move_to_meta(item) for item in value] if isinstance(value, (list, tuple)) else value


def _replace_device(value: Any) -> Any:
    return META if isinstance(value, torch.device) else value


def identify_memory(tensor: Tensor) -> int:
    """Return the identity of a tensor's memory; an address would not do, as meta has none."""
    if is_sparse(tensor):
        return id(tensor)  # it has several storages, and no views that would share them
    identity: int = tensor.untyped_storage()._cdata
    return identity
