"""Check that a graph's nodes stand in an order in which they can run."""

from collections.abc import Container, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from onnx import AttributeProto, GraphProto, NodeProto

from inspect_cost.counting.onnx.call import get_label
from inspect_cost.values.errors import UsageError


def check_order(nodes: Sequence[NodeProto], given: Container[str]) -> None:
    """Refuse nodes that read a value before it is made, or one that is never made.

    Raises:
        UsageError: a node does; the message says whether there is a cycle.
    """
    made: set[str] = set()
    for node in nodes:
        for name in iterate_reads(node):
            if name not in made and name not in given:
                _refuse(nodes, node, name)
        twice = next((name for name in node.output if name and name in made), None)
        if twice:
            raise UsageError(
                f"{get_label(node)} ({node.op_type}) makes {twice!r}, which another node has made",
                "Export the model again.",
            )
        made.update(node.output)


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


def _refuse(nodes: Sequence[NodeProto], node: NodeProto, name: str) -> None:
    makers = {output: i for i, maker in enumerate(nodes) for output in maker.output if output}
    if name not in makers:
        raise UsageError(
            f"{get_label(node)} ({node.op_type}) reads {name!r}, which no node makes",
            "Export the model again.",
        )
    needed = {
        i: {makers[n] for n in iterate_reads(n_) if n in makers} for i, n_ in enumerate(nodes)
    }
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        around = ", ".join(get_label(nodes[i]) for i in dict.fromkeys(error.args[1]))
        raise UsageError(
            f"the graph has a cycle: {around}", "Export the model again; loops are Loop and Scan."
        ) from None
    raise UsageError(
        f"{get_label(node)} ({node.op_type}) reads {name!r}, which a later node makes",
        "Export the model again: nodes must stand in the order in which they run.",
    )
