"""Graphs in ONNX's own text form, for the tests."""

import onnx
from onnx import ModelProto

MICROSOFT = '"com.microsoft" : 1'


def graph(body: str, *, opset: int = 20, domains: str = "") -> ModelProto:
    """Parse ``g (inputs) => (outputs) <weights> { nodes }`` into a model."""
    extra = f", {domains}" if domains else ""
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}{extra}]> {body}')
