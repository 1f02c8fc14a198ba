"""Peak memory of results, by hand and beside torch's."""

import pytest
import torch
from torch import nn

from inspect_cost import count, count_onnx
from tests.counting.onnx.graphs import graph

#: Nodes on x of 24 bytes and the most bytes that results occupy at once.
PEAKS = {
    "a chain": ("a = Exp(x)  b = Exp(a)  c = Exp(b)  y = Exp(c)", 48),
    "a branch kept": ("a = Exp(x)  b = Exp(a)  c = Exp(b)  y = Add(a, c)", 72),
    "an input is none": ("y = Add(x, x)", 24),
    "views": ("a = Exp(x)  b = Reshape(a, s)  c = Identity(b)  y = Exp(c)", 48),
    "a view of an input": ("a = Identity(x)  y = Exp(a)", 24),
    "an unread result": ("a = Exp(x)  b = Exp(x)  y = Exp(x)", 24),
    "a constant": ("k = Constant <value_floats = [1.0, 2.0]> ()  y = Exp(x)", 24),
    "a pair": ("a, b = Split <axis = 0> (x)  c = Exp(a)  y = Add(b, c)", 36),
    "a branch graph": (
        """a = Exp(x)  y = If <then_branch = t () => (float[2,3] q) { p = Exp(a)  q = Exp(p) },
        else_branch = e () => (float[2,3] r) { r = Exp(a) }> (yes)""",
        72,
    ),
    "a loop": (
        """y = Loop <body = l (int64 i, bool on, float[2,3] h) => (bool still, float[2,3] k)
        { still = Identity(on)  p = Exp(h)  k = Exp(p) }> (n, yes, x)""",
        24 + 48,  # the carried state, and both results of an iteration
    ),
}


@pytest.mark.parametrize(("nodes", "peak"), PEAKS.values(), ids=PEAKS)
def test_peaks_by_hand(nodes: str, peak: int) -> None:
    body = f"""g (float[2,3] x) => (float[m,n] y)
      <int64[2] s = {{3, 2}}, bool yes = {{1}}, int64 n = {{4}}> {{ {nodes} }}"""
    report = count_onnx(graph(body, opset=13))
    assert report.peak_activation_bytes == peak
    assert report.input_bytes == 24


@pytest.mark.parametrize("sizes", [(7, 11, 3), (3, 20, 40), (30, 2, 9)])
def test_a_peak_is_torchs(sizes: tuple[int, int, int]) -> None:
    first, second, third = sizes
    net = nn.Sequential(nn.Linear(first, second), nn.ReLU(), nn.Linear(second, third), nn.Tanh())
    model = graph(
        f"""g (float[5,{first}] x, float[{second},{first}] v, float[{second}] p,
        float[{third},{second}] w, float[{third}] q) => (float[m,n] y) {{
      a = Gemm <transB = 1> (x, v, p)  b = Relu(a)  c = Gemm <transB = 1> (b, w, q)
      y = Tanh(c) }}"""
    )
    expected = count(net, torch.ones(5, first)).peak_activation_bytes
    assert count_onnx(model).peak_activation_bytes == expected
    assert expected == 4 * 5 * max(2 * second, second + third, 2 * third)


def test_a_peak_with_unknown_sizes_is_unknown() -> None:
    body = "g (float[2,3] x) => (float[m,n] y) { y = own.F(x) }"
    assert count_onnx(graph(body, domains='"own" : 1')).peak_activation_bytes is None
