"""The places of modules in a model: one that stands in several runs in one of them at a time.

A module's path is the first at which the model has it, as of `named_modules`. A place is any path
that leads to it: a layer that two blocks share has the path "0.lin" and the places "0.lin" and
"1.lin". There may be exponentially many, so they are looked for only when a module runs.
"""

from collections import Counter
from collections.abc import Iterator

from torch import nn

from inspect_cost.counting.tally import ancestry


class Places:
    """The places at which modules run.

    Args:
        model: the model as it is when it runs.

    Attributes:
        aliases: places found so far that are not the paths of their modules, with these paths.
    """

    def __init__(self, model: nn.Module) -> None:
        modules = dict(model.named_modules())
        paths = {id(module): path for path, module in modules.items()}
        self._children = {
            path: {
                name: paths[id(child)]
                for name, child in module._modules.items()
                if id(child) in paths
            }
            for path, module in modules.items()
        }
        self._shared = self._find_shared()
        self._known: dict[tuple[str, str], str] = {}
        self.aliases: dict[str, str] = {}

    def locate(self, module: str, running: str) -> str:
        """Return the place at which a module runs when it is called from a place.

        Of several, this is the one that has most in common with the caller's, and the first of
        those.

        Args:
            module: path of the module.
            running: place of the module that calls it.
        """
        if module not in self._shared:
            return module
        call = module, running
        if call not in self._known:
            self._known[call] = self._find_nearest(module, running)
        return self._known[call]

    def list_containers(self, module: str) -> list[str]:
        """List the paths of a module and of all modules that it stands in, at any place."""
        if module not in self._shared:
            return ancestry(module)
        found, added = {module: None}, [module]
        while added:
            inner = added.pop()
            outer = [p for p, inside in self._children.items() if inner in inside.values()]
            added += [path for path in outer if path not in found]
            found.update(dict.fromkeys(outer))
        return list(found)

    def _find_shared(self) -> set[str]:
        """Return the paths of the modules that have several places: shared ones and all in them."""
        holders = Counter(child for inside in self._children.values() for child in inside.values())
        shared: set[str] = set()
        for path in self._children:  # parents first
            if path and (holders[path] > 1 or path.rpartition(".")[0] in shared):
                shared.add(path)
        return shared

    def _find_nearest(self, module: str, running: str) -> str:
        """Return the place of a module in the innermost module around ``running`` that has it."""
        for around in ancestry(running):
            for below in self._search(self._resolve(around), module):
                place = f"{around}.{below}".strip(".")
                self._record(place)
                return place
        return module

    def _search(self, start: str, module: str) -> Iterator[str]:
        """Yield the first way from a module down to one in it, as `named_modules` goes."""
        pending, seen = [("", start)], set[str]()
        while pending:
            way, path = pending.pop()
            if path == module:
                yield way
                return
            if path not in seen:
                seen.add(path)
                inside = reversed(self._children[path].items())
                pending += [(f"{way}.{name}".strip("."), child) for name, child in inside]

    def _resolve(self, place: str) -> str:
        return self.aliases.get(place, place)

    def _record(self, place: str) -> None:
        """Record the paths of the modules that a place leads through."""
        path = ""
        for step in reversed(ancestry(place)[:-1]):
            path = self._children[path][step.rpartition(".")[2]]
            if path != step:
                self.aliases[step] = path
