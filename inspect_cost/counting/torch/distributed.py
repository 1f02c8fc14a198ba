"""Models that are trained by several processes: a count talks to none of them."""

from typing import Any

from torch import nn

from inspect_cost.values.errors import CountError

#: Namespaces of the operators that send something to other processes.
COLLECTIVES = ("c10d.", "_c10d_functional.", "c10d_functional.", "_c10d_functional_autograd.")

#: Names of the classes that split parameters among processes; their modules are slow to import.
SHARDED = frozenset({"FSDPModule", "FullyShardedDataParallel"})


def run_locally(wrapper: nn.Module) -> None:
    """Make the copy of a wrapper run its module, as one process would by itself."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        return wrapper.module(*args, **kwargs)  # type: ignore[operator]  # it is a module

    vars(wrapper)["forward"] = forward


def refuse_sharded(module: nn.Module) -> None:
    """Refuse a module of whose parameters each process has a part.

    Raises:
        CountError: it is one.
    """
    if any(kind.__name__ in SHARDED for kind in type(module).__mro__):
        raise CountError(
            f"the parameters of {type(module).__name__} are sharded over processes",
            "Count the model before it is sharded: the cost is the same.",
        )


def refuse_collective(name: str) -> None:
    """Refuse an operator that would send something to another process.

    Raises:
        CountError: it is one.
    """
    if name.startswith(COLLECTIVES):
        raise CountError(
            f"the forward talks to other processes ({name}), which a count must not do",
            "Count the model as one process runs it, without collectives.",
        )
