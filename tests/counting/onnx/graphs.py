"""Graphs in ONNX's own text form, for the tests."""

import onnx
from onnx import ModelProto

MICROSOFT = '"com.microsoft" : 1'


def graph(body: str, *, opset: int = 20, domains: str = "") -> ModelProto:
    """Parse ``g (inputs) => (outputs) <weights> { nodes }`` into a model."""
    extra = f", {domains}" if domains else ""
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}{extra}]> {body}')


#: Graphs whose weights are declared only: without contents.
BODIES = {
    "convolutions": """g (float[1,3,8,8] x) => (float[m,n,o,p] y) <float[4,3,3,3] w, float[4] b,
        float[4] s, float[4] h, float[4] mean, float[4] var> {
      c = Conv(x, w, b)  n = BatchNormalization(c, s, h, mean, var)  y = Relu(n) }""",
    "products": """g (float[5,6] x) => (float[m,n] y) <float[6,7] w, float[7] b, float[7,2] v> {
      h = Gemm(x, w, b)  r = Relu(h)  y = MatMul(r, v) }""",
    "recurrent": """g (float[5,2,3] x) => (float[m,n,o,p] y) <
        float[1,16,3] w, float[1,16,4] r> { y = LSTM <hidden_size = 4> (x, w, r) }""",
    "branches": """g (float[4,4] x, bool c) => (float[4,4] y) <float[4,4] w, float[4] b> {
      y = If <then_branch = t () => (float[4,4] p) { p = MatMul(x, w) },
              else_branch = e () => (float[4,4] q) { q = Add(x, b) }> (c) }""",
}
