"""Training steps of every layer of `torch.nn` and of functions whose inference is counted."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspect_cost import count
from tests.counting.torch.test_modules import CASES, IMAGE, ROWS, SIGNAL, VOLUME, layers


class Step(nn.Module):
    """A function of a tensor that a parameter scales, and of others."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function, self.scale = function, nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, *others: Any) -> Any:
        return self.function(x * self.scale if x.is_floating_point() else x, *others)


def list_missing(function: Callable[..., Any], *inputs: Any) -> set[str] | None:
    """List the operators that only the training step lacks; None if the inference lacks some."""
    if not count(Step(function), *inputs).complete:
        return None
    return set(count(Step(function), *inputs, backward=True).uncounted)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:.*NLLLoss2d")
@pytest.mark.parametrize("name", sorted(layers()))
def test_every_layer(name: str) -> None:
    arguments, inputs = CASES.get(name, ((), (SIGNAL,)))
    layer = getattr(nn, name)(*arguments)
    assert list_missing(layer, *inputs) == set()


HALF = torch.full((3, 4), 0.5)
GRID, POINTS = torch.zeros(2, 3, 3, 2), torch.zeros(2, 2, 2, 2, 3)
WINDOW = torch.ones(8)
STATISTICS = (torch.ones(4),) * 4
BAG = torch.tensor([[1, 2]])


def spectrum(x: Tensor) -> Tensor:
    return torch.stft(x, 8, window=WINDOW, return_complex=True)


def interpolate(mode: str, **options: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: F.interpolate(x, **{"scale_factor": 2, **options}, mode=mode)


def binary(**options: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, t: F.binary_cross_entropy(x, t, **options)


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "frozen batch norm": (
        lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b, training=False),
        (IMAGE, *STATISTICS),
    ),
    "frozen batch norm without weights": (
        lambda x, m, v: F.batch_norm(x, m, v, training=False),
        (VOLUME, *STATISTICS[:2]),
    ),
    "rrelu": (lambda x: F.rrelu(x, training=True), (HALF,)),
    "logit": (torch.logit, (HALF,)),
    "logit between": (lambda x: torch.logit(x, 1e-3), (HALF,)),
    **{
        f"interpolate {mode} {x.dim() - 2}d": (interpolate(mode), (x,))
        for x, modes in (
            (SIGNAL, ("nearest", "nearest-exact", "linear", "area")),
            (IMAGE, ("nearest", "nearest-exact", "bilinear", "bicubic", "area")),
            (VOLUME, ("nearest", "nearest-exact", "trilinear", "area")),
        )
        for mode in modes
    },
    "bilinear antialiased": (interpolate("bilinear", antialias=True), (IMAGE,)),
    "bicubic antialiased": (interpolate("bicubic", antialias=True), (IMAGE,)),
    "grid_sample": (lambda x, g: F.grid_sample(x, g, align_corners=False), (IMAGE, GRID)),
    "grid_sample of the grid": (
        lambda g, x: F.grid_sample(x, g, padding_mode="border", align_corners=True),
        (GRID, IMAGE),
    ),
    "grid_sample nearest": (
        lambda x, g: F.grid_sample(x, g, "nearest", align_corners=False),
        (IMAGE, GRID),
    ),
    "grid_sample of volumes": (
        lambda x, g: F.grid_sample(x, g, align_corners=False),
        (VOLUME, POINTS),
    ),
    "affine_grid": (lambda t: F.affine_grid(t, [2, 4, 8, 8], False), (torch.zeros(2, 2, 3),)),
    "smooth l1 of no reduction": (
        lambda x, t: F.smooth_l1_loss(x, t, reduction="none"),
        (HALF, HALF),
    ),
    "binary cross entropy by weight": (binary(weight=torch.ones(4)), (HALF, HALF)),
    "binary cross entropy, summed": (binary(reduction="sum"), (HALF, HALF)),
    "cross entropy of probabilities": (F.cross_entropy, (HALF, HALF)),
    "cross entropy, smoothed": (
        lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1),
        (HALF, torch.tensor([0, 1, 2])),
    ),
    "multi margin, squared": (
        lambda x, t: F.multi_margin_loss(x, t, p=2, weight=torch.ones(4)),
        (HALF, torch.tensor([0, 1, 2])),
    ),
    **{
        f"cdist {p}": (lambda x, y, p=p: torch.cdist(x, y, p), (HALF, HALF))
        for p in (0.0, 1.0, 2.0, 3.0, float("inf"))
    },
    **{f"pdist {p}": (lambda x, p=p: F.pdist(x, p), (HALF,)) for p in (1.0, 2.0, 3.0)},
    "cdist by products": (torch.cdist, (torch.ones(30, 4), torch.ones(30, 4))),
    "magnitude": (lambda x: spectrum(x).abs(), (torch.ones(1, 32),)),
    "power": (lambda x: spectrum(x).abs() ** 2, (torch.ones(1, 32),)),
    "logarithm": (lambda x: torch.log(spectrum(x).abs() + 1e-5), (torch.ones(1, 32),)),
    "angle": (lambda x: spectrum(x).angle(), (torch.ones(1, 32),)),
    "real part": (lambda x: spectrum(x).real, (torch.ones(1, 32),)),
    "magnitude in two dimensions": (lambda x: torch.fft.rfft2(x).abs(), (IMAGE,)),
    "filter": (lambda x: torch.fft.irfft(torch.fft.rfft(x) * 2), (SIGNAL,)),
    "polar": (lambda x: torch.polar(x, x).abs(), (HALF,)),
    "complex exp": (lambda x: torch.exp(torch.complex(x, x)).abs(), (HALF,)),
    **{
        f"embedding_bag {mode}": (
            lambda w, i, mode=mode: F.embedding_bag(i, w, mode=mode),
            (ROWS, BAG % 2),
        )
        for mode in ("sum", "mean", "max")
    },
    "embedding_bag by frequency": (
        lambda w, i: F.embedding_bag(i, w, scale_grad_by_freq=True),
        (ROWS, BAG % 2),
    ),
    "embedding by frequency": (
        lambda w, i: F.embedding(i, w, scale_grad_by_freq=True),
        (ROWS, BAG % 2),
    ),
    "embedding_bag weights": (
        lambda s, i: F.embedding_bag(i, ROWS, per_sample_weights=s, mode="sum"),
        (torch.ones(1, 2), BAG % 2),
    ),
    "conjugate": (lambda x: (torch.complex(x, x).conj() * torch.complex(x, -x)).real, (HALF,)),
    "masked_scatter": (lambda x: HALF.masked_scatter(HALF > 0, x), (HALF,)),
    "bilinear": (F.bilinear, (ROWS, ROWS, torch.ones(3, 4, 4))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    function, inputs = FUNCTIONS[name]
    assert list_missing(function, *inputs) == set()


def test_products_of_three_tensors_in_a_step() -> None:
    """Forward, the first operand by the weight and then the second; back, one product of each."""
    layer, x, y = nn.Bilinear(3, 4, 5), torch.ones(2, 3), torch.ones(2, 4)
    report = count(layer, x, y, backward=True)
    forward, outer, of_weight = 2 * 5 * 4 * (3 + 1), 2 * 5 * 3, 2 * 5 * 3 * 4
    assert report.complete
    assert report.macs == forward + outer + of_weight
