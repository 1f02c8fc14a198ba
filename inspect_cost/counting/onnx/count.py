"""Count what one run of an ONNX graph costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import ModelProto

from inspect_cost.counting.onnx.binding import InputShapes
from inspect_cost.counting.onnx.call import Rule
from inspect_cost.counting.onnx.graph_count import count_graph
from inspect_cost.counting.onnx.settling import find_feed
from inspect_cost.counting.report import CostReport
from inspect_cost.values.cost import OpCost


def count_onnx(
    source: str | Path | ModelProto,
    *,
    input_shapes: InputShapes | None = None,
    inputs: Mapping[str, Any] | None = None,
    op_costs: Mapping[str, Rule | OpCost] | None = None,
    trip_counts: Mapping[str, int] | None = None,
    verify: bool = False,
    title: str | None = None,
) -> CostReport:
    """Count parameters, MACs, FLOPs and bytes of one run of an ONNX graph.

    The graph is not run unless sizes, branches or numbers of iterations depend on values: then
    onnxruntime runs it once, if it can, and the report's note says so.

    Args:
        source: an .onnx file, or a model loaded from one. Weights in other files are not read.
        input_shapes: sizes for axes that the file leaves open: an input's name -> its whole shape,
            or an open axis's name -> its size, such as ``{"x": (1, 80, 63)}`` or ``{"L": 512}``.
        inputs: values of inputs, which sizes, branches and numbers of iterations follow from:
            an input's name -> a number, nested lists, an array, or the path of a file that
            `numpy.save` wrote. One number fills an input with axes. They give shapes, too.
        op_costs: costs of operators for this count, which take precedence over the table's: name,
            such as ``"com.acme.Scan"`` or ``"onnx.Conv"`` -> an OpCost per call, or a function from
            an `inspect_cost.counting.onnx.call.NodeCall` to one.
        trip_counts: name of a Loop's node, or of its first result if it has none -> number of its
            iterations, for loops whose number depends on values.
        verify: run the graph, and compare what onnxruntime executed with the count: differences
            are notes with the code "run-differs", agreement is one with "run-agrees".
        title: name of the model in the report; by default the file's, or else the graph's.

    Returns:
        The report. Its operators are named onnx.Conv, com.microsoft.FusedConv and so on; those
        without a known cost, or behind a size that is unknown, are in its ``uncounted``, and their
        nodes in its ``notes``.

    Raises:
        UsageError: the file cannot be read or is malformed, an axis has no size, a shape cannot
            be inferred, a loop's number of iterations is not known, a value does not fit its
            input, or a name in ``op_costs`` matches no operator that ran.
        MeasurementError: the graph is to be verified, and cannot be run.
    """
    given: dict[str, Any] = {
        "input_shapes": input_shapes,
        "inputs": inputs,
        "trip_counts": trip_counts,
    }
    counted = count_graph(source, op_costs=op_costs, title=title, **given)
    if not verify:
        return counted.report
    fed = find_feed(source, counted, **given)
    again = count_graph(source, op_costs=op_costs, title=title, verify=True, fed=fed, **given)
    return again.report
