"""Put a graph's nodes into an order in which they can run."""

from collections.abc import Container, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from onnx import AttributeProto, GraphProto, NodeProto

from inspect_cost.counting.onnx.call import get_label
from inspect_cost.values.errors import UsageError


def sort_nodes(nodes: Sequence[NodeProto], given: Container[str]) -> list[NodeProto]:
    """Return the nodes so that each follows those whose results it reads, else as they stand.

    ONNX demands that order of files; onnxruntime sorts those that lack it, as its own quantiser
    writes some.

    Raises:
        UsageError: a node reads what none makes, two make the same, or there is a cycle.
    """
    makers = _find_makers(nodes)
    needed: dict[int, set[int]] = {}
    for index, node in enumerate(nodes):
        reads = list(iterate_reads(node))
        for name in reads:
            if name not in makers and name not in given:
                raise UsageError(
                    f"{get_label(node)} ({node.op_type}) reads {name!r}, which no node makes",
                    "Export the model again.",
                )
        needed[index] = {makers[name] for name in reads if name in makers}
    if all(maker < index for index, before in needed.items() for maker in before):
        return list(nodes)
    return [nodes[index] for index in _iterate_in_order(nodes, needed)]


def _find_makers(nodes: Sequence[NodeProto]) -> dict[str, int]:
    """Return name -> position of the node that makes it."""
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            if makers.setdefault(name, index) != index:
                raise UsageError(
                    f"{get_label(node)} ({node.op_type}) makes {name!r}, "
                    "which another node has made",
                    "Export the model again.",
                )
    return makers


def _iterate_in_order(nodes: Sequence[NodeProto], needed: Mapping[int, set[int]]) -> Iterator[int]:
    """Iterate over the nodes' positions; of those that can run, the first in the file is next."""
    sorter = TopologicalSorter(needed)
    try:
        sorter.prepare()
    except CycleError as error:
        around = ", ".join(get_label(nodes[i]) for i in dict.fromkeys(error.args[1]))
        raise UsageError(
            f"the graph has a cycle: {around}", "Export the model again; loops are Loop and Scan."
        ) from None
    ready: list[int] = []
    while sorter.is_active():
        for index in sorter.get_ready():
            heappush(ready, index)
        index = heappop(ready)
        yield index
        sorter.done(index)


def iterate_reads(node: NodeProto) -> Iterator[str]:
    """Iterate over the names that a node reads, including those that its subgraphs read."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
        for graph in graphs:
            yield from _iterate_outer_reads(graph)


def _iterate_outer_reads(graph: GraphProto) -> Iterator[str]:
    own = {entry.name for entry in (*graph.input, *graph.initializer)}
    own |= {sparse.values.name for sparse in graph.sparse_initializer}
    own |= {name for node in graph.node for name in node.output}
    inner = [name for node in graph.node for name in iterate_reads(node)]
    yield from (name for name in inner if name not in own)
    yield from (entry.name for entry in graph.output if entry.name not in own)
