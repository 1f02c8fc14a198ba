"""Every layer of `torch.nn` and every operator of torch's core set is known, or listed here."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.counting.torch.aten.table import ATEN_RULES, find_rule
from tests.counting.torch.models import is_real_run

SIGNAL, IMAGE, VOLUME = torch.ones(2, 4, 8), torch.ones(2, 4, 8, 8), torch.ones(2, 4, 8, 8, 8)
ROWS, CLASSES = torch.full((2, 4), 0.5), torch.tensor([0, 1])
SIGNS, INDICES = torch.ones(2, 4), torch.zeros(2, 3, dtype=torch.int64)
SPACES = {1: SIGNAL, 2: IMAGE, 3: VOLUME}

#: Class -> (arguments of its constructor, inputs); those in no table take none, and a signal.
Case = tuple[tuple[Any, ...], tuple[Any, ...]]

BY_DIMENSION: dict[str, tuple[Any, ...]] = {
    "AdaptiveAvgPool": (3,),
    "AdaptiveMaxPool": (3,),
    "AvgPool": (2,),
    "MaxPool": (2,),
    "LPPool": (2, 2),
    "BatchNorm": (4,),
    "InstanceNorm": (4,),
    "Conv": (4, 3, 3),
    "ConvTranspose": (4, 3, 3),
    "CircularPad": (1,),
    "ConstantPad": (1, 0.5),
    "ReflectionPad": (1,),
    "ReplicationPad": (1,),
    "ZeroPad": (1,),
}

OF_ROWS: dict[str, tuple[Any, ...]] = {
    "Bilinear": (4, 4, 3),
    "CosineSimilarity": (),
    "PairwiseDistance": (),
    "BCELoss": (),
    "BCEWithLogitsLoss": (),
    "HuberLoss": (),
    "KLDivLoss": (None, None, "batchmean"),
    "L1Loss": (),
    "MSELoss": (),
    "PoissonNLLLoss": (),
    "SmoothL1Loss": (),
    "SoftMarginLoss": (),
    "HingeEmbeddingLoss": (),
    "MultiLabelSoftMarginLoss": (),
}

SINGLE: dict[str, Case] = {
    "AdaptiveLogSoftmaxWithLoss": ((4, 20, [5, 10], 2.0), (ROWS, torch.tensor([1, 12]))),
    "FractionalMaxPool2d": ((2, 3), (IMAGE,)),
    "FractionalMaxPool3d": ((2, 3), (VOLUME,)),
    "SyncBatchNorm": ((4,), (IMAGE,)),
    "CrossEntropyLoss": ((), (ROWS, CLASSES)),
    "NLLLoss": ((), (ROWS, CLASSES)),
    "NLLLoss2d": ((), (IMAGE, torch.zeros(2, 8, 8, dtype=torch.int64))),
    "MultiMarginLoss": ((), (ROWS, CLASSES)),
    "MultiLabelMarginLoss": ((), (ROWS, torch.tensor([[0, -1, 0, 0], [1, 2, -1, 0]]))),
    "CTCLoss": (
        (),
        (torch.zeros(8, 2, 5), INDICES + 1, torch.tensor([8, 8]), torch.tensor([3, 3])),
    ),
    "CosineEmbeddingLoss": ((), (ROWS, ROWS, torch.tensor([1, -1]))),
    "MarginRankingLoss": ((), (ROWS, ROWS, SIGNS)),
    "GaussianNLLLoss": ((), (ROWS, ROWS, SIGNS)),
    "TripletMarginLoss": ((), (ROWS, ROWS, ROWS)),
    "TripletMarginWithDistanceLoss": ((), (ROWS, ROWS, ROWS)),
    "LinearCrossEntropyLoss": ((4, 5), (ROWS, CLASSES)),
    "Embedding": ((10, 4), (INDICES,)),
    "EmbeddingBag": ((10, 4), (INDICES,)),
    "ChannelShuffle": ((2,), (IMAGE,)),
    "Flatten": ((), (IMAGE,)),
    "Unflatten": ((1, (2, 2)), (SIGNAL,)),
    "Fold": (((5, 5), (2, 2)), (torch.ones(2, 16, 16),)),
    "Unfold": (((2, 2),), (IMAGE,)),
    "Linear": ((8, 3), (SIGNAL,)),
    "LSTM": ((8, 5), (SIGNAL,)),
    "GRU": ((8, 5), (SIGNAL,)),
    "RNN": ((8, 5), (SIGNAL,)),
    "LSTMCell": ((4, 5), (ROWS,)),
    "GRUCell": ((4, 5), (ROWS,)),
    "RNNCell": ((4, 5), (ROWS,)),
    "GroupNorm": ((2, 4), (SIGNAL,)),
    "LayerNorm": ((8,), (SIGNAL,)),
    "RMSNorm": ((8,), (SIGNAL,)),
    "LocalResponseNorm": ((2,), (IMAGE,)),
    "CrossMapLRN2d": ((2,), (IMAGE,)),
    "MaxUnpool1d": ((2,), (torch.ones(2, 4, 4), torch.arange(0, 8, 2).repeat(2, 4, 1))),
    "MaxUnpool2d": ((2,), (torch.ones(2, 4, 1, 2), torch.arange(0, 4, 2).repeat(2, 4, 1, 1))),
    "MaxUnpool3d": ((2,), (torch.ones(2, 4, 1, 1, 1), torch.zeros(2, 4, 1, 1, 1).long())),
    "MultiheadAttention": ((8, 2), (SIGNAL, SIGNAL, SIGNAL)),
    "TransformerEncoderLayer": ((8, 2, 16), (SIGNAL,)),
    "TransformerDecoderLayer": ((8, 2, 16), (SIGNAL, SIGNAL)),
    "TransformerEncoder": ((nn.TransformerEncoderLayer(8, 2, 16), 2), (SIGNAL,)),
    "TransformerDecoder": ((nn.TransformerDecoderLayer(8, 2, 16), 2), (SIGNAL, SIGNAL)),
    "Transformer": ((8, 2, 1, 1, 16), (torch.ones(3, 2, 8), torch.ones(3, 2, 8))),
    "PixelShuffle": ((2,), (IMAGE,)),
    "PixelUnshuffle": ((2,), (IMAGE,)),
    "Softmax": ((-1,), (SIGNAL,)),
    "Softmin": ((-1,), (SIGNAL,)),
    "LogSoftmax": ((-1,), (SIGNAL,)),
    "Dropout2d": ((), (IMAGE,)),
    "Dropout3d": ((), (VOLUME,)),
    "Softmax2d": ((), (IMAGE,)),
    "Threshold": ((0.1, 0.2), (SIGNAL,)),
    "Upsample": ((None, 2), (IMAGE,)),
    "UpsamplingBilinear2d": ((None, 2), (IMAGE,)),
    "UpsamplingNearest2d": ((None, 2), (IMAGE,)),
    "Sequential": ((nn.Linear(8, 8),), (SIGNAL,)),
}

CASES: dict[str, Case] = (
    {f"{k}{d}d": (v, (SPACES[d],)) for k, v in BY_DIMENSION.items() for d in SPACES}
    | {name: (arguments, (ROWS, ROWS)) for name, arguments in OF_ROWS.items()}
    | SINGLE
)

#: Containers and bases, which compute nothing, and what spreads over several GPUs.
NOT_LAYERS = set(
    "Module Container ModuleList ModuleDict ParameterList ParameterDict RNNBase RNNCellBase "
    "DataParallel".split()
)


def layers() -> Iterator[str]:
    for name, kind in vars(nn).items():
        is_layer = inspect.isclass(kind) and issubclass(kind, nn.Module)
        if is_layer and name not in NOT_LAYERS and not name.startswith("Lazy"):
            yield name


def known(report: Any) -> None:
    assert report.complete, report.uncounted
    assert not is_real_run(report)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:.*NLLLoss2d")
@pytest.mark.parametrize("name", sorted(layers()))
def test_every_layer_is_counted(name: str) -> None:
    arguments, inputs = CASES.get(name, ((), (SIGNAL,)))
    known(count(getattr(nn, name)(*arguments).eval(), *inputs))


#: Backward passes, which an inference does not take.
BACKWARD = "backward"


def core() -> Iterator[tuple[str, str]]:
    for name in dir(torch.ops.aten):
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads() if hasattr(packet, "overloads") else ():
            if torch.Tag.core in getattr(packet, overload).tags and BACKWARD not in name:
                yield f"aten.{name}", f"aten.{name}.{overload}"


def test_every_core_operator_has_a_rule() -> None:
    operators = list(core())
    assert len(operators) > 150
    assert [full for name, full in operators if find_rule(name, full, ATEN_RULES) is None] == []


class Calls(nn.Module):
    """A module that applies a function to a tensor computed from a parameter."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.scale = function, nn.Parameter(torch.ones(()))

    def forward(self, *xs: Tensor) -> Any:
        return self.function(*(x * self.scale if x.is_floating_point() else x for x in xs))


TRANSFORMS = (
    "fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 hfft2 ihfft2 fftn ifftn rfftn irfftn "
    "hfftn ihfftn fftshift ifftshift"
).split()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_fourier_transform_is_counted(name: str) -> None:
    known(count(Calls(getattr(torch.fft, name)).eval(), IMAGE))


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("bij,bkj->bik", [(2, 3, 4), (2, 5, 4)], 2 * 3 * 4 * 5),
        ("ij,jk->ik", [(3, 4), (4, 5)], 3 * 4 * 5),
        ("bhld,bhsd->bhls", [(2, 3, 4, 5), (2, 3, 6, 5)], 2 * 3 * 4 * 5 * 6),
        ("i,i->", [(7,), (7,)], 7),
    ],
)
def test_einsum_is_the_products_that_it_names(
    equation: str, shapes: list[tuple[int, ...]], macs: int
) -> None:
    call = Calls(lambda *xs: torch.einsum(equation, *xs)).eval()
    report = count(call, *(torch.ones(shape) for shape in shapes))
    known(report)
    assert report.macs == macs


def test_contracted_dimensions_of_tensors() -> None:
    call = Calls(lambda a, b: torch.tensordot(a, b, 2)).eval()
    assert count(call, torch.ones(2, 4, 8), torch.ones(4, 8, 3)).macs == 2 * 4 * 8 * 3
