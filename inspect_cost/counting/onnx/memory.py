"""Memory that results occupy at once, each from the node that makes it to its last reader."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from onnx import NodeProto

from inspect_cost.counting.onnx.call import get_operator_name
from inspect_cost.counting.onnx.order import iterate_reads
from inspect_cost.counting.onnx.value import Value

#: Operators whose result is memory of their first operand.
_VIEWS = frozenset(
    f"onnx.{name}" for name in "Dropout Flatten Identity Reshape Squeeze Unsqueeze".split()
)
#: Operators that collect results while their body runs.
_COLLECTING = frozenset({"onnx.Loop", "onnx.Scan"})
_STORED = "onnx.Constant"


class Memory:
    """Results of one graph that are alive, while its nodes are followed in order.

    Attributes:
        peak: largest number of bytes so far.
    """

    def __init__(self, nodes: Sequence[NodeProto], kept: Iterable[str]) -> None:
        last: dict[str, int] = {}
        for index, node in enumerate(nodes):
            last.update(dict.fromkeys((*node.output, *iterate_reads(node)), index))
        for name in kept:
            last.pop(name, None)
        self._dying: dict[int, list[str]] = defaultdict(list)
        for name, index in last.items():
            self._dying[index].append(name)
        self._blocks: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._holders: Counter[str] = Counter()
        self._live = 0
        self.peak = 0

    def make(
        self, index: int, node: NodeProto, results: Sequence[Value | None], inside: int
    ) -> None:
        """Add a node's results, then free what nothing reads from there on.

        Args:
            index: position of the node.
            node: the node.
            results: its results.
            inside: peak of the graphs or functions that it runs.
        """
        before = self._live
        for name, value in zip(node.output, results, strict=False):
            if name and value is not None:
                self._add(name, value, node)
        made = self._live - before
        together = get_operator_name(node) in _COLLECTING
        self.peak = max(self.peak, before + (made + inside if together else max(made, inside)))
        for name in self._dying[index]:
            self._free(name)

    def _add(self, name: str, value: Value, node: NodeProto) -> None:
        operator = get_operator_name(node)
        if operator == _STORED:
            return
        if operator in _VIEWS and name == node.output[0]:
            block = self._blocks.get(node.input[0])
            if block is None:
                return  # it is an input or a weight
        else:
            block = name
            self._sizes[block] = value.known_bytes
            self._live += value.known_bytes
        self._blocks[name] = block
        self._holders[block] += 1

    def _free(self, name: str) -> None:
        block = self._blocks.get(name)
        if block is None:
            return
        self._holders[block] -= 1
        if not self._holders[block]:
            self._live -= self._sizes[block]
