"""Models wrapped for training by several processes are counted without talking to any of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, count

distributed = pytest.importorskip("torch.distributed")
if not (distributed.is_available() and distributed.is_gloo_available()):
    pytest.skip("this torch has no gloo", allow_module_level=True)

X = torch.randn(3, 8)
INFERENCE = 3 * (64 + 32)

#: Three products of the size of the forward's, without the gradient of the input.
TRAINING = 3 * (2 * 64 + 3 * 32)


@pytest.fixture(autouse=True)
def group(tmp_path: Path) -> Iterator[None]:
    """A group of one process."""
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def make_net(*, norm: bool = False) -> nn.Sequential:
    middle = [nn.BatchNorm1d(8)] if norm else []
    return nn.Sequential(nn.Linear(8, 8), *middle, nn.ReLU(), nn.Linear(8, 4))


def wrap(module: nn.Module, **options: Any) -> nn.Module:
    return nn.parallel.DistributedDataParallel(module, **options)


class Around(nn.Module):
    """Calls a wrapped module below the root."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = wrap(make_net(norm=True))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        return out


@pytest.mark.parametrize(("backward", "macs"), [(False, INFERENCE), (True, TRAINING)])
@pytest.mark.parametrize(
    "options", [{}, {"find_unused_parameters": True}, {"static_graph": True}], ids=str
)
def test_a_wrapper_counts_as_its_module(
    options: dict[str, Any], macs: int, *, backward: bool
) -> None:
    net = make_net()
    model = wrap(net, **options)
    report = count(model, X, backward=backward)
    assert report.macs == macs
    assert report.complete
    assert report.flops == count(net, X, backward=backward).flops
    assert not any(tally.operator.startswith("c10d") for tally in report.tallies)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("backward", [False, True])
def test_below_the_root_and_with_statistics(*, backward: bool) -> None:
    model = Around()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = count(model, X, backward=backward)
    assert report.complete
    assert report.macs == (TRAINING if backward else INFERENCE)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_training_goes_on_after_a_count() -> None:
    model = wrap(make_net(norm=True))
    for _ in range(2):
        count(model, X, backward=True)
        model(X).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


class Talking(nn.Module):
    """Reduces its result over all processes."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.layer, self.how = nn.Linear(8, 8), how

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        if self.how == "reduce":
            distributed.all_reduce(y)
        elif self.how == "gather":
            distributed.all_gather([torch.empty_like(y)], y)
        elif self.how == "broadcast":
            distributed.broadcast(y, 0)
        elif self.how == "barrier":
            distributed.barrier()
        else:
            from torch.distributed import _functional_collectives as functional  # noqa: PLC0415

            return functional.all_reduce(y, "sum", distributed.group.WORLD)
        return y


@pytest.mark.parametrize("how", ["reduce", "gather", "broadcast", "barrier", "functional"])
def test_a_collective_is_refused_before_it_is_sent(how: str) -> None:
    group: Any = distributed.group.WORLD
    before = group._get_sequence_number_for_group()  # noqa: SLF001 - what was sent so far
    with pytest.raises(CountError, match="c10d"):
        count(Talking(how), X)
    assert group._get_sequence_number_for_group() == before  # noqa: SLF001


def test_a_sharded_model_is_refused_in_one_sentence() -> None:
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    mesh = distributed.init_device_mesh("cpu", (1,))
    model = make_net()
    fsdp.fully_shard(model[0], mesh=mesh)
    fsdp.fully_shard(model, mesh=mesh)
    with pytest.raises(CountError, match="sharded") as caught:
        count(model, X)
    assert "\n" not in str(caught.value)
    assert caught.value.advice
