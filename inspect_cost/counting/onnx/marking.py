"""Marks in a copy of a model, by which the nodes of a count and of a run are the same.

onnxruntime reports what it executed by the names of nodes, which need not be unique in a file, nor
present. So each node gets a mark of its own, which the count reads and the run has as its name.
"""

import re
from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from inspect_cost.counting.onnx.loading import iterate_nodes

_KEY = "inspect_cost.mark"
_IN_NAME = re.compile(r"mark(\d+)([tebs]?)_")
#: Attribute with a subgraph -> the letter of its probe.
PROBES = {"then_branch": "t", "else_branch": "e", "body": "b"}


def mark_nodes(model: ModelProto) -> ModelProto:
    """Return a copy of a model whose nodes are marked, those of subgraphs and functions too."""
    marked = ModelProto()
    marked.CopyFrom(model)
    for number, node in enumerate(iterate_nodes(marked)):
        node.metadata_props.add(key=_KEY, value=str(number))
    return marked


def get_mark(node: NodeProto) -> str:
    """Return the mark of a node; "" if it has none."""
    return next((entry.value for entry in node.metadata_props if entry.key == _KEY), "")


def find_mark(name: str) -> tuple[str, str]:
    """Return the mark in an executed node's name, and the letter of a probe; "" for none."""
    found = _IN_NAME.search(name)
    return (found[1], found[2]) if found else ("", "")


def make_executable(marked: ModelProto) -> ModelProto:
    """Return a copy in which marks are names, and each subgraph has a probe that reports its runs.

    A probe is an operator on a constant, whose result nothing reads.
    """
    model = ModelProto()
    model.CopyFrom(marked)
    for node in list(iterate_nodes(model)):
        mark = get_mark(node)
        del node.metadata_props[:]
        node.name = f"mark{mark}_"
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH and attribute.name in PROBES:
                _add_probe(attribute.g, f"mark{mark}{PROBES[attribute.name]}_")
    return model


def _add_probe(graph: GraphProto, name: str) -> None:
    nothing = helper.make_tensor(name, TensorProto.INT64, [1], [0])
    constant = f"{name}constant"
    graph.node.append(helper.make_node("Constant", [], [constant], name=constant, value=nothing))
    graph.node.append(helper.make_node("Shape", [constant], [f"{name}probe"], name=name))


def iterate_marks(model: ModelProto) -> Iterator[tuple[str, NodeProto]]:
    """Iterate over the marked nodes of a model."""
    for node in iterate_nodes(model):
        yield get_mark(node), node
