"""thop: hooks on the layers whose class it knows; all else counts 0.

Its numbers are MACs, with element-wise operations added by layer.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from torch import nn

from inspect_cost.calls.call import Call
from inspect_cost.calls.positional import Positional, positional
from inspect_cost.crosschecking.results import Entry, PeerCount, to_whole


def count_with_thop(call: Call) -> PeerCount:
    """Return its total, and its parts by layer."""
    thop = import_module("thop.profile")
    model, tensors = positional(call)
    total, _, layers = thop.profile(model, tensors, verbose=False, ret_layer_info=True)
    walked = _iterate_entries(model, "", layers, _find_paths(model), thop.register_hooks)
    return PeerCount(to_whole(total), tuple(walked))


def _find_paths(model: nn.Module) -> dict[int, str]:
    """Return the path of each module, the first of several."""
    return {id(module): path for path, module in model.named_modules()}


def _iterate_entries(
    parent: nn.Module,
    path: str,
    layers: Mapping[str, Any],
    paths: Mapping[int, str],
    rules: Mapping[type[nn.Module], Any],
) -> Iterator[Entry]:
    """Yield the layers below a module; one in several places yields an entry for each."""
    for name, (macs, _, inner) in layers.items():
        module = parent.get_submodule(name)
        place = f"{path}.{name}".removeprefix(".")
        known = type(module) in rules
        covers = known and not isinstance(module, nn.Sequential)
        yield Entry(
            module=Positional.inner_path(paths[id(module)]),
            operator=_get_class_name(type(module)),
            macs=0 if inner else to_whole(macs),
            known=known,
            covers=covers,
        )
        if inner:
            yield from _iterate_entries(module, place, inner, paths, rules)


def _get_class_name(kind: type[nn.Module]) -> str:
    """Return the class's name, in full if torch has another class of that name."""
    name = kind.__name__
    return name if getattr(nn, name, kind) is kind else f"{kind.__module__}.{name}"
