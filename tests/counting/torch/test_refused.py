"""The count refuses the calls that torch refuses on a CPU, and no others."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map_only

from inspect_cost import count
from inspect_cost.counting.torch.aten import ATEN_RULES
from inspect_cost.counting.torch.dataflow import DataFlow
from inspect_cost.counting.torch.guard import Guard
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.counting.torch.meta import META_KERNELS
from inspect_cost.counting.torch.meta.refusals import RefusedCallError
from inspect_cost.counting.torch.meta.regions import REGIONS
from inspect_cost.counting.torch.mode import CountingMode
from inspect_cost.counting.torch.placement import drop_values
from inspect_cost.counting.torch.places import Places
from inspect_cost.values.errors import CountError
from tests.counting.torch.refused_calls import ACCEPTED, NO_OPERATORS, Args, list_variants

#: The shapes and types of results; or None of a call that is refused.
Outcome = list[tuple[tuple[int, ...], torch.dtype]] | None

LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")

#: Operators whose CPU kernels do not compare the sizes of their operands, and read beyond them.
#: What the count refuses of these is not run, for it would end the process.
UNCHECKED_BY_TORCH = {
    "aten._weight_norm",
    "aten.scaled_dot_product_attention",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_flash_attention_for_cpu_backward",
    "aten.quantized_lstm.input",
    "aten.quantized_gru.input",
    *(f"aten.{kind}.{form}" for kind in LAYERS for form in ("input", "data")),
}

FUSED = "aten._scaled_dot_product_flash_attention_for_cpu"

#: Values of another size than keys, and masks of other kinds: torch takes such attention apart, or
#: converts the mask, while the count calls the fused kernel, whose cost is the same.
OF_THE_COUNT_ALONE = {
    (FUSED, "(2,): 7 in dimension 3"),
    (FUSED, "(2,): 9 in dimension 3"),
    (FUSED, "('attn_mask',): a dimension less"),
    (FUSED, "('attn_mask',): torch.bool"),
}

#: Torch itself calls those of `prims`, with operands that it has compared; torchvision's operators,
#: which torch lacks, are in `tests/formulas/test_regions.py`.
CHECKED_ELSEWHERE = {*(f"prims.{name}" for name in ("add", "sub", "mul", "div")), *REGIONS}

#: Operators whose integer operands are known in a count, as indices and lengths are.
OF_KNOWN_INTEGERS = {"aten.embedding", *(f"aten.{kind}.data" for kind in LAYERS)}


def find_operator(key: str) -> Any:
    """Find the operator of torch, or the overload, that a key of the table names."""
    namespace, name, *overload = key.split(".")
    operator = getattr(getattr(torch.ops, namespace), name)
    return getattr(operator, overload[0]) if overload else operator


def describe(results: Any) -> Outcome:
    """Return the shapes and types of an operator's results."""
    return [(tuple(x.shape), x.dtype) for x in tree_leaves(results)]


def run_by_torch(key: str, call: Args) -> Outcome:
    """Run a call on real values; None if torch refuses it."""
    args, kwargs = tree_map_only(Tensor, lambda x: x.clone(), (call.args, call.kwargs))
    try:
        with torch.no_grad():
            return describe(find_operator(key)(*args, **kwargs))
    except Exception:  # noqa: BLE001 - whatever it raises
        return None


def make_mode() -> CountingMode:
    ledger = Ledger(Places(nn.Module()))
    return CountingMode(ledger, ATEN_RULES, torch.device("cpu"), DataFlow(), Guard(None))


def run_by_count(key: str, call: Args) -> Outcome:
    """Run a call without values; None if it is refused, in one line."""

    def drop(x: Tensor) -> Tensor:
        known = key in OF_KNOWN_INTEGERS and not x.is_floating_point()
        return x if known else drop_values(x)

    args, kwargs = tree_map_only(Tensor, drop, (call.args, call.kwargs))
    mode = CountingMode(
        Ledger(Places(nn.Module())), ATEN_RULES, torch.device("cpu"), DataFlow(), Guard(None)
    )
    try:
        with torch.inference_mode(), mode:
            return describe(find_operator(key)(*args, **kwargs))
    except Exception as refusal:  # noqa: BLE001 - torch's meta kernels raise anything
        return [] if isinstance(refusal, RefusedCallError) and "\n" in str(refusal) else None


def find_mismatches(key: str) -> Iterator[str]:
    """Yield the calls of one operator that torch and the count do not answer alike."""
    for n, accepted in enumerate(ACCEPTED[key]):
        for change, call in list_variants(accepted):
            counted = run_by_count(key, call)
            if counted is None and change != "accepted" and key in UNCHECKED_BY_TORCH:
                continue
            if (key, change) in OF_THE_COUNT_ALONE:
                continue
            real = run_by_torch(key, call)
            if real != counted or (real is None and change == "accepted"):
                yield f"call {n}, {change}: {real} by torch, {counted} by the count"


def test_every_kernel_has_calls() -> None:
    assert set(ACCEPTED) == set(META_KERNELS) - NO_OPERATORS - CHECKED_ELSEWHERE
    assert not [key for key in NO_OPERATORS if hasattr(torch.ops.aten, key.partition(".")[2])]


@pytest.mark.parametrize("key", ACCEPTED)
def test_a_call_is_refused_where_torch_refuses_it(key: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not list(find_mismatches(key))


def meta(*shape: int) -> Tensor:
    """Make a tensor without values."""
    return torch.empty(shape, device="meta")


def run_layer(x: Tensor, state: Tensor, *weights: Tensor) -> Any:
    """Run a recurrent layer without biases."""
    return torch.rnn_tanh(x, state, weights, False, 1, 0.0, False, False, False)


WEIGHTS = (meta(4, 3), meta(4, 4))

UNEQUAL: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "a weight norm": (find_operator("aten._weight_norm"), (meta(4, 3), meta(5, 1))),
    "fewer keys": (
        F.scaled_dot_product_attention,
        (meta(1, 2, 5, 8), meta(1, 2, 4, 8), meta(1, 2, 6, 8)),
    ),
    "features of a layer": (run_layer, (meta(5, 2, 4), meta(1, 2, 4), *WEIGHTS)),
    "batch of a layer": (run_layer, (meta(5, 2, 3), meta(1, 3, 4), *WEIGHTS)),
    "units of a layer": (run_layer, (meta(5, 2, 3), meta(1, 2, 5), *WEIGHTS)),
    "layers of a layer": (run_layer, (meta(5, 2, 3), meta(2, 2, 4), *WEIGHTS)),
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_sizes_that_torch_does_not_check_are_refused(name: str) -> None:
    function, operands = UNEQUAL[name]
    mode = CountingMode(
        Ledger(Places(nn.Module())), ATEN_RULES, torch.device("cpu"), DataFlow(), Guard(None)
    )
    with pytest.raises(RefusedCallError), torch.inference_mode(), mode:
        function(*operands)


#: Models that torch refuses to run, the shapes of their inputs, and a word of the error.
REFUSED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "channels of a batch norm": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(5)),
        (1, 3, 9, 9),
        "6 channels",
    ),
    "types of two layers": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 4).half()),
        (2, 4),
        "Half",
    ),
    "channels of a transposed convolution": (
        lambda: nn.ConvTranspose2d(3, 4, 3),
        (1, 4, 8, 8),
        "takes 3",
    ),
    "channels of a group norm": (lambda: nn.GroupNorm(2, 4), (1, 6, 8, 8), "6 channels"),
    "features of a layer norm": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(5)),
        (2, 4),
        "(5,)",
    ),
    "a layer of halves": (lambda: nn.Linear(4, 4).half(), (2, 4), "linear"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("backward", [False, True], ids=["inference", "training"])
def test_models_that_do_not_run_are_not_counted(name: str, backward: bool) -> None:
    make, shape, word = REFUSED[name]
    model, x = make().eval(), torch.randn(shape)
    with pytest.raises((RuntimeError, ValueError)):
        model(x)
    with pytest.raises(CountError) as caught:
        count(model, x, backward=backward)
    assert "\n" not in str(caught.value)
    assert backward or word in str(caught.value)


def test_the_refusing_module_is_named() -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(5)), torch.randn(1, 3, 9, 9)
    with pytest.raises(CountError) as caught:
        count(model, x)
    assert caught.value.module_path == "1"


class Catching(nn.Module):
    """A model that tries one layer, and takes another if torch refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Linear(3, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        try:
            out: Tensor = self.narrow(x)
        except RuntimeError:
            out = self.wide(x)
        return out


def test_a_model_may_catch_a_refusal_as_it_catches_torch() -> None:
    assert count(Catching().eval(), torch.randn(5, 4)).macs == 5 * 4 * 2


#: Functions of a tensor without values (4, 6) and of known indices, with good and bad indices.
INDEXED: dict[str, tuple[Callable[..., Tensor], Any, list[Any]]] = {
    "rows": (lambda y, n: F.embedding(n, y), [0, 3], [[0, 4], [-1, 0]]),
    "bags": (lambda y, n: F.embedding_bag(n, y), [[0, 3]], [[[0, 4]], [[-1, 0]]]),
    "a selection": (lambda y, n: y.index_select(1, n), [0, 5], [[6], [-1]]),
    "columns": (lambda y, n: y[:, n], [0, -6], [[6], [-7]]),
    "pairs": (lambda y, n: y[n, n], [0, -4], [[4], [-5]]),
    "a gathering": (lambda y, n: y.gather(1, n), [[0, 5]], [[[6]], [[-1]]]),
    "a scattering": (lambda y, n: y.scatter(1, n, 2.0), [[0, 5]], [[[6]], [[-1]]]),
    "a sum of scattered": (lambda y, n: y.scatter_add(1, n, y), [[0, 5]], [[[6]], [[-1]]]),
    "classes": (lambda y, n: F.cross_entropy(y, n), [0, 5, -100, 1], [[0, 6, 1, 1], [-1, 0, 0, 0]]),
    "likelihoods": (lambda y, n: F.nll_loss(y, n), [0, 5, -100, 1], [[0, 6, 1, 1], [-1, 0, 0, 0]]),
}


class Projected(nn.Module):
    """A function of a linear layer's result and of indices."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.function = function

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        return self.function(self.linear(x), indices)


@pytest.mark.parametrize("name", INDEXED)
def test_known_indices_are_in_range(name: str) -> None:
    function, good, bad = INDEXED[name]
    model, x = Projected(function).eval(), torch.randn(4, 6)
    report = count(model, x, torch.tensor(good))
    assert report.macs >= 4 * 6 * 6
    assert not report.notes
    for wrong in bad:
        with pytest.raises((IndexError, RuntimeError)):
            model(x, torch.tensor(wrong))
        with pytest.raises(CountError) as caught:
            count(model, x, torch.tensor(wrong))
        assert "\n" not in str(caught.value)


def test_autocast_is_no_refusal() -> None:
    model, x = nn.Linear(4, 4), torch.randn(2, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert count(model.eval(), x).macs == 2 * 16
