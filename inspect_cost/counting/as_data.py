"""A count as plain data for JSON, and back.

What readers look for is spelled out: totals, operators, modules. What the count is made of stands
beside it, once and without zeros: the tallies, and what each module itself stores.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from inspect_cost.counting.tally import ModuleCost, Storage, Tally
from inspect_cost.counting.waste import UnreadParameter, Waste
from inspect_cost.values.cost import OpCost
from inspect_cost.values.notes import read_notes, write_notes

if TYPE_CHECKING:
    from inspect_cost.counting.report import CostReport


def write_count(count: "CostReport") -> dict[str, Any]:
    """Return a count with all that it takes to read it back."""
    modules = [
        {**_write_module(count.by_module[path]), **_drop_zeros(asdict(storage))}
        for path, _, storage in count.modules
    ]
    return {
        "model": count.model,
        **summarize_count(count),
        "notes": write_notes(count.notes),
        "modules": modules,
        **_drop_zeros({"aliases": dict(count.aliases)}),
        "tallies": [_write_tally(tally) for tally in count.tallies],
        "unread": None if count.unread is None else [_write_unread(p) for p in count.unread],
    }


def summarize_count(count: "CostReport") -> dict[str, Any]:
    """Return what reports of schema 1 had of a count: it cannot be read back from this alone."""
    return {
        "kind": "counted",
        "policy": count.policy,
        **_write_storage(count.storage),
        "macs": count.macs,
        "flops": count.flops,
        "flops_by_class": count.flops_by_class,
        "bytes_moved": count.bytes_moved,
        "arithmetic_intensity": count.arithmetic_intensity,
        "peak_activation_bytes": count.peak_activation_bytes,
        "input_bytes": count.input_bytes,
        **_write_state(count),
        "waste": _write_waste(count.waste),
        "foldable": _write_foldable(count.foldable),
        "uncounted": dict(count.uncounted),
        "complete": count.complete,
        "notes": [note.text for note in count.notes],
        "operators": [_write_operator(*operator) for operator in count.by_operator.items()],
        "modules": [_write_module(module) for module in count.by_module.values()],
    }


def read_count(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a count from what `write_count` gives."""
    unread = written["unread"]
    return {
        "model": written["model"],
        "modules": tuple(read_module(row) for row in written["modules"]),
        "tallies": tuple(_read_tally(row) for row in written["tallies"]),
        "notes": read_notes(written["notes"]),
        "policy": written["policy"],
        "unread": None if unread is None else tuple(_read_unread(row) for row in unread),
        "peak_activation_bytes": written["peak_activation_bytes"],
        "input_bytes": written["input_bytes"],
        "optimizer_state": written.get("optimizer_state"),
        "aliases": dict(written.get("aliases", {})),
    }


def read_module(row: Mapping[str, Any]) -> tuple[str, str, Storage]:
    """Read (path, class name, storage) of a module from its row; what is left out is 0."""
    known = {f.name: row[f.name] for f in fields(Storage) if f.name in row}
    return row["path"], row["type"], Storage(**known)


def write_amounts(tally: Tally) -> dict[str, Any]:
    """Return the amounts of a tally, without the zeros."""
    return _drop_zeros(
        {
            "calls": tally.calls,
            **tally.cost.to_dict(),
            "bytes_moved": tally.bytes_moved,
            "dead_calls": tally.dead_calls,
            "dead_cost": tally.dead_cost.to_dict(),
            "fixed_cost": tally.fixed_cost.to_dict(),
        }
    )


def read_amounts(operator: str, module: str, row: Mapping[str, Any], *, counted: bool) -> Tally:
    """Read the tally of an operator in a module from its amounts."""
    return Tally(
        operator=operator,
        module=module,
        calls=row.get("calls", 0),
        cost=OpCost.from_dict(row),
        bytes_moved=row.get("bytes_moved", 0),
        counted=counted,
        dead_calls=row.get("dead_calls", 0),
        dead_cost=OpCost.from_dict(row.get("dead_cost", {})),
        fixed_cost=OpCost.from_dict(row.get("fixed_cost", {})),
    )


def _write_tally(tally: Tally) -> dict[str, Any]:
    counted = {} if tally.counted else {"counted": False}
    return {
        "operator": tally.operator,
        "module": tally.module,
        **counted,
        **write_amounts(tally),
    }


def _read_tally(row: Mapping[str, Any]) -> Tally:
    return read_amounts(row["operator"], row["module"], row, counted=row.get("counted", True))


def _write_unread(parameter: UnreadParameter) -> dict[str, Any]:
    return {**asdict(parameter), "names": list(parameter.names)}


def _read_unread(row: Mapping[str, Any]) -> UnreadParameter:
    return UnreadParameter(tuple(row["names"]), row["elements"], row["bytes"], row["touched"])


def _write_storage(storage: Storage) -> dict[str, Any]:
    return {
        "params": storage.params,
        "param_bytes": storage.param_bytes,
        "params_folded": storage.folded_params,
        "trainable": storage.trainable,
        "buffers": storage.buffers,
        "buffer_bytes": storage.buffer_bytes,
        "dtypes": dict(storage.dtypes),
    }


def _write_state(count: "CostReport") -> dict[str, Any]:
    """Return the state of the optimizer, if one was counted."""
    if count.optimizer_state is None:
        return {}
    return {
        "optimizer_state_bytes": count.optimizer_state_bytes,
        "optimizer_state": dict(count.optimizer_state),
    }


def _write_operator(name: str, tally: Tally) -> dict[str, Any]:
    return {
        "name": name,
        "calls": tally.calls,
        "macs": tally.cost.macs,
        "flops": tally.cost.flops if tally.counted else None,
        "bytes_moved": tally.bytes_moved,
        "arithmetic_intensity": tally.arithmetic_intensity,
    }


def _write_module(module: ModuleCost) -> dict[str, Any]:
    return {
        "path": module.path,
        "type": module.type,
        "params": module.params,
        "param_bytes": module.storage.param_bytes,
        "macs": module.macs,
        "flops": module.flops,
        "flops_by_class": module.cost.flops_by_class,
        "bytes_moved": module.bytes_moved,
        "arithmetic_intensity": module.arithmetic_intensity,
        "calls": module.calls,
    }


def _write_waste(waste: Waste | None) -> dict[str, Any] | None:
    if waste is None:
        return None
    return {
        **{f.name: getattr(waste, f.name) for f in fields(waste)},
        "modules": [asdict(module) for module in waste.modules],
        "untouched_params": list(waste.untouched_params),
    }


def _write_foldable(foldable: Mapping[str, OpCost] | None) -> dict[str, Any] | None:
    if foldable is None:
        return None
    costs = foldable.items()
    return {
        "macs": sum(cost.macs for _, cost in costs),
        "flops": sum(cost.flops for _, cost in costs),
        "modules": [{"path": p, "macs": cost.macs, "flops": cost.flops} for p, cost in costs],
    }


def _drop_zeros(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value}
