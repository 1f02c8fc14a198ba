"""Attribution of operators to the user's own modules while they run.

Methods are wrapped on their classes, not on the modules: a module that is copied, saved or taken
apart in the meantime is what it is. The wrappers are put in when the first block needs them and
taken out again after the last.
"""

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FunctionType, GeneratorType
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from inspect_cost.counting.torch.attribution import advance, follow, list_own_methods
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.module_costs import ModuleRule, enter_module_cost
from inspect_cost.values.errors import InspectCostError


class Attribution:
    """The modules of one block, which report to its ledger while they run.

    Args:
        modules: by their paths.
        rules: costs of modules as a whole, by the identity of the module.
        ledger: of the block.

    Attributes:
        failure: the first error of a cost that the user gave.
    """

    failure: InspectCostError | None = None

    def __init__(
        self, modules: dict[str, nn.Module], rules: dict[int, ModuleRule], ledger: Ledger
    ) -> None:
        self.modules = modules
        self._paths = {id(module): path for path, module in modules.items()}
        self._rules = rules
        self._ledger = ledger
        self._thread = threading.get_ident()
        self._ruled: set[int] = set()  # modules whose forward runs, and has a cost as a whole

    def knows(self, module: Any) -> bool:
        """Return whether a module is one of the block's, and runs on the block's thread."""
        path = self._paths.get(id(module))
        if path is None:
            return False
        if threading.get_ident() == self._thread:
            return True
        self._ledger.off_thread_module = path
        return False

    @contextmanager
    def running(self, module: nn.Module, method: str) -> Iterator[list[Any]]:
        """Enter operators for a module in this context, which yields a list for its result.

        The list takes the inputs and the output of a forward, of which a cost may be asked.
        """
        rule = None if method != "forward" else self._rules.get(id(module))
        with self._ledger.inside(self._paths[id(module)]):
            given: list[Any] = []
            if rule is None or id(module) in self._ruled:
                yield given
                return
            self._ruled.add(id(module))
            try:
                with self._ledger.redirect() as inside:
                    yield given
            finally:
                self._ruled.discard(id(module))
                if given:
                    self._enter(module, rule, inside, given)

    def _enter(self, module: nn.Module, rule: ModuleRule, inside: Ledger, given: list[Any]) -> None:
        cost = None
        try:
            cost = rule(module, *given)
        except InspectCostError as error:
            self.failure = self.failure or error
        enter_module_cost(self._ledger, inside, module, cost)


_LOCK = threading.RLock()
_RUNNING: list[Attribution] = []
#: Class and name of a method -> the method, what stands in its place, and how many blocks need it.
_WRAPPED: dict[tuple[type, str], tuple[FunctionType, FunctionType, int]] = {}


@contextmanager
def attribute_live(attribution: Attribution) -> Iterator[None]:
    """Let the methods of a block's modules report within this context."""
    places = _list_methods(attribution.modules.values())
    held = [module for module in attribution.modules.values() if "forward" in vars(module)]
    with ExitStack() as entered:
        if held:  # of its own instance, as a library's wrapper leaves it
            entered.enter_context(_hook({id(module) for module in held}))
        with _LOCK:
            _RUNNING.append(attribution)
            entered.callback(_leave, attribution, places)
            for place in places:
                _wrap(*place)
        yield


def _leave(attribution: Attribution, places: Iterable[tuple[type, str]]) -> None:
    with _LOCK:
        _RUNNING.remove(attribution)
        for place in places:
            _unwrap(*place)


def _list_methods(modules: Iterable[nn.Module]) -> list[tuple[type, str]]:
    """List the methods of modules, each with the class that defines it."""
    found: dict[tuple[type, str], None] = {}
    for kind in {type(module) for module in modules}:
        names = list_own_methods(kind)
        for base in kind.__mro__:
            if base in nn.Module.__mro__ or base.__module__.startswith("torch.jit"):
                continue
            own = vars(base)
            found |= {(base, n): None for n in names if isinstance(own.get(n), FunctionType)}
    return list(found)


def _wrap(kind: type, name: str) -> None:
    if (kind, name) in _WRAPPED:
        original, wrapper, users = _WRAPPED[kind, name]
        _WRAPPED[kind, name] = original, wrapper, users + 1
        return
    original = vars(kind)[name]
    wrapper = _make_wrapper(original, name)
    setattr(kind, name, wrapper)
    _WRAPPED[kind, name] = original, wrapper, 1


def _unwrap(kind: type, name: str) -> None:
    original, wrapper, users = _WRAPPED.pop((kind, name))
    if users > 1:
        _WRAPPED[kind, name] = original, wrapper, users - 1
    elif vars(kind).get(name) is wrapper:  # the code may have put in a method of its own
        setattr(kind, name, original)


def _make_wrapper(function: FunctionType, name: str) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        module = args[0] if args else None
        if not _find_blocks(module):
            return function(*args, **kwargs)
        out = _run_inside(module, name, function, *args, **kwargs)
        if type(out) is GeneratorType:
            return follow(out, functools.partial(_run_inside, module, "", advance))
        return out

    return wrapper


def _find_blocks(module: Any) -> list[Attribution]:
    return [block for block in _RUNNING if block.knows(module)]


def _run_inside(
    module: Any, method: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Call a function while the module is the running one of every block that knows it."""
    with ExitStack() as entered:
        frames = [entered.enter_context(b.running(module, method)) for b in _find_blocks(module)]
        out = function(*args, **kwargs)
        for frame in frames:
            frame.extend([(*args[1:], *kwargs.values()), out])
    return out


@contextmanager
def _hook(identities: set[int]) -> Iterator[None]:
    """Let the modules of these identities report by hooks on all modules."""
    calls: list[tuple[int, ExitStack, list[list[Any]]]] = []

    def before(module: nn.Module, _args: Any) -> None:
        if id(module) in identities and (blocks := _find_blocks(module)):
            entered = ExitStack()
            frames = [entered.enter_context(b.running(module, "forward")) for b in blocks]
            calls.append((id(module), entered, frames))

    def after(module: nn.Module, args: Any, out: Any) -> None:
        if calls and calls[-1][0] == id(module):
            _, entered, frames = calls.pop()
            for frame in frames:
                frame.extend([args, out])
            entered.close()

    hooks: list[AbstractContextManager[Any]] = [
        register_module_forward_pre_hook(before),
        register_module_forward_hook(after, always_call=True),
    ]
    with hooks[0], hooks[1]:
        yield
