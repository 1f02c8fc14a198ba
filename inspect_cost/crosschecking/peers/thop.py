"""thop: hooks on the layers whose class it knows; all else counts 0.

Its numbers are MACs, with element-wise operations added by layer.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from torch import nn

from inspect_cost.crosschecking.calls import Call, Positional
from inspect_cost.crosschecking.results import Entry, PeerCount, whole


def count_with_thop(call: Call) -> PeerCount:
    """Its total, and its parts by layer."""
    thop = import_module("thop.profile")
    model, tensors = call.wrapped()
    total, _, layers = thop.profile(model, tensors, verbose=False, ret_layer_info=True)
    walked = _entries(model, "", layers, _canonical_paths(model), thop.register_hooks)
    return PeerCount(whole(total), tuple(walked))


def _canonical_paths(model: nn.Module) -> dict[int, str]:
    """Where each module is, in the first of its places if it has several."""
    return {id(module): path for path, module in model.named_modules()}


def _entries(
    parent: nn.Module,
    path: str,
    layers: Mapping[str, Any],
    paths: Mapping[int, str],
    rules: Mapping[type[nn.Module], Any],
) -> Iterator[Entry]:
    """The layers below a module; of a module in several places, an entry for each."""
    for name, (macs, _, inner) in layers.items():
        module = parent.get_submodule(name)
        place = f"{path}.{name}".removeprefix(".")
        known = type(module) in rules
        covers = known and not isinstance(module, nn.Sequential)
        yield Entry(
            module=Positional.inner_path(paths[id(module)]),
            operator=_class_name(type(module)),
            macs=0 if inner else whole(macs),
            known=known,
            covers=covers,
        )
        if inner:
            yield from _entries(module, place, inner, paths, rules)


def _class_name(kind: type[nn.Module]) -> str:
    """The class's name, in full where torch has another class of that name."""
    name = kind.__name__
    return name if getattr(nn, name, kind) is kind else f"{kind.__module__}.{name}"
