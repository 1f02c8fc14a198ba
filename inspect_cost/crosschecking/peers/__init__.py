"""The peers, one file each. A new one is a file with a function, and a line in `PEERS`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from inspect_cost.calls.call import Call
from inspect_cost.crosschecking.peers.flop_counter_mode import count_with_flop_counter_mode
from inspect_cost.crosschecking.peers.fvcore import count_with_fvcore
from inspect_cost.crosschecking.peers.onnx import count_through_onnx
from inspect_cost.crosschecking.peers.thop import count_with_thop
from inspect_cost.crosschecking.results import PeerCount


@dataclass(frozen=True)
class Peer:
    """Another counter.

    Attributes:
        name: name of the tool.
        distribution: the package that it is in.
        unit: unit of the number that it reports, in words.
        count: runs it; it imports the tool when called.
        absence: why it may have nothing at all for an operator that ran.
        prunes: whether it leaves out computations that no output depends on.
        by_layer: whether it reports layers, each as a whole, and not operators.
    """

    name: str
    distribution: str
    unit: str
    count: Callable[[Call], PeerCount]
    absence: str
    prunes: bool = False
    by_layer: bool = False

    @property
    def version(self) -> str | None:
        """Version of the package; None if it is not installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None


#: In the order of the report.
PEERS: tuple[Peer, ...] = (
    Peer(
        name="fvcore",
        distribution="fvcore",
        unit="MACs, called flops",
        count=count_with_fvcore,
        absence="absent from its trace",
        prunes=True,
    ),
    Peer(
        name="thop",
        distribution="thop",
        unit="MACs and element-wise work",
        count=count_with_thop,
        absence="run without calling the module itself, so that its hook saw nothing",
        by_layer=True,
    ),
    Peer(
        name="FlopCounterMode",
        distribution="torch",
        unit="FLOPs, 2 a MAC and no other",
        count=count_with_flop_counter_mode,
        absence="not reached in its run",
    ),
    Peer(
        name="ONNX",
        distribution="onnx",
        unit="MACs of the exported graph",
        count=count_through_onnx,
        absence="absent from the exported graph",
        prunes=True,
    ),
)

__all__ = ["PEERS", "Peer"]
