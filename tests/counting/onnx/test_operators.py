"""Each family of operators on small graphs, with counts made by hand."""

import pytest

from inspect_cost import OpCost, count_onnx
from inspect_cost.counting.onnx.table import FAMILIES, ONNX_RULES, merge_rules
from inspect_cost.formulas.pointwise import GELU_ERF, HARD_SWISH, MUL, ROTATION, SILU
from inspect_cost.formulas.quantization import DEQUANTIZE, QUANTIZE, REQUANTIZE
from inspect_cost.formulas.resampling import linear_interpolation
from inspect_cost.values.cost import FREE
from tests.counting.onnx.graphs import MICROSOFT, graph

#: Four gates of 4, each two products joined and two biases, then the cell's 4 states.
LSTM_STEP = OpCost(macs=16 * 7, add=16 + 32 + 4, mul=12, special=16 + 4)
CASES = [
    (
        20,
        (
            "g (float[2,9,2] x) => (float[p,q,r] y) <int64 n = {16}> "
            "{ y = DFT <inverse = 1, onesided = 1> (x, n) }"
        ),
        OpCost(mul=2 * 64, add=2 * 96),
    ),
    # contractions
    (
        20,
        "g (float[2,3,4] a, float[4,5] b) => (float[a,b,c] y) { y = MatMul(a, b) }",
        OpCost(macs=2 * 3 * 4 * 5),
    ),
    (
        20,
        (
            "g (float[4,3] a, float[5,4] b, float[5] c) => (float[m,n] y) "
            "{ y = Gemm <transA = 1, transB = 1, alpha = 0.5> (a, b, c) }"
        ),
        OpCost(macs=3 * 4 * 5, mul=15, add=15),
    ),
    (
        11,
        (
            "g (float[1,4,9] x, float[6,2,3] w, float[6] b) => (float[p,q,r] y) "
            "{ y = Conv <group = 2, pads = [1, 1], strides = [2], dilations = [1]> (x, w, b) }"
        ),
        OpCost(macs=6 * 5 * 2 * 3, add=6 * 5),
    ),
    (
        20,
        (
            "g (float[1,4,9] x, float[4,3,5] w) => (float[p,q,r] y) "
            "{ y = ConvTranspose <strides = [2], output_padding = [1]> (x, w) }"
        ),
        OpCost(macs=4 * 9 * 3 * 5),
    ),
    (
        20,
        (
            "g (float[2,3,4] a, float[2,5,4] b) => (float[p,q,r] y) "
            '{ y = Einsum <equation = "bij,bkj->bik"> (a, b) }'
        ),
        OpCost(macs=2 * 3 * 5 * 4),
    ),
    (
        20,
        (
            "g (float[2,3,4] a, float[4,5] b) => (float[p] y) "
            '{ y = Einsum <equation = "...j,jk->k"> (a, b) }'
        ),
        OpCost(add=(2 * 3 - 1) * 4, macs=4 * 5),
    ),
    (
        20,
        "g (uint8[3,4] a, uint8[4,5] b) => (int32[m,n] y) { y = MatMulInteger(a, b) }",
        OpCost(macs=60),
    ),
    (
        20,
        "g (uint8[1,2,6] x, uint8[3,2,3] w) => (int32[p,q,r] y) { y = ConvInteger(x, w) }",
        OpCost(macs=3 * 4 * 6),
    ),
    # pointwise
    (
        20,
        "g (float[2,3] a, float[3] b) => (float[m,n] y) { c = Add(a, b)  y = Relu(c) }",
        OpCost(add=6, compare=6),
    ),
    (20, "g (int64[2,3] a, int64[3] b) => (int64[m,n] y) { y = Add(a, b) }", FREE),
    (20, "g (float[5] x) => (float[n] y) <float two = {2.0}> { y = Pow(x, two) }", OpCost(mul=5)),
    (20, "g (float[5] x, float[5] p) => (float[n] y) { y = Pow(x, p) }", OpCost(special=5)),
    (
        20,
        "g (float[5] x) => (float[n] y) <float low = {0.0}> { y = Clip(x, low) }",
        OpCost(compare=5),
    ),
    (
        6,
        "g (float[5] x) => (float[n] y) { y = Clip <min = 0.0, max = 6.0> (x) }",
        OpCost(compare=10),
    ),
    (
        20,
        'g (float[5] x) => (float[n] y) { y = Gelu <approximate = "tanh"> (x) }',
        OpCost(mul=20, special=10, add=10),
    ),
    (
        20,
        "g (float[4] a, float[4] b, float[4] c) => (float[n] y) { y = Sum(a, b, c) }",
        OpCost(add=8),
    ),
    (
        18,
        (
            "g (float[4] x, int64[2,1] i, float[2] u) => (float[n] y) "
            '{ y = ScatterND <reduction = "add"> (x, i, u) }'
        ),
        OpCost(add=2),
    ),
    (
        23,
        (
            "g (float[1,2,3,4] x, float[1,3,2] c, float[1,3,2] s) => (float[p,q,r,t] y) "
            "{ y = RotaryEmbedding(x, c, s) }"
        ),
        OpCost(mul=48, add=24),
    ),
    # reductions
    (
        11,
        "g (float[2,3,4] x) => (float[m,n] y) { y = ReduceMean <axes = [1], keepdims = 0> (x) }",
        OpCost(add=8 * 2, div=8),
    ),
    (
        18,
        "g (float[2,3,4] x) => (float[p,q,r] y) <int64[1] a = {1}> { y = ReduceSumSquare(x, a) }",
        OpCost(mul=24, add=16),
    ),
    (
        20,
        "g (float[2,7] x) => (int64[m] y) { y = ArgMax <axis = 1, keepdims = 0> (x) }",
        OpCost(compare=12),
    ),
    (
        13,
        "g (float[2,3,5] x) => (float[p,q,r] y) { y = Softmax(x) }",
        OpCost(compare=6 * 4, add=6 * 9, special=30, div=30),
    ),
    (
        11,
        "g (float[2,3,5] x) => (float[p,q,r] y) { y = Softmax(x) }",
        OpCost(compare=2 * 14, add=2 * 29, special=30, div=30),
    ),
    (
        20,
        "g (float[2,7] x) => (float[m,n] y) <int64 axis = {1}> { y = CumSum(x, axis) }",
        OpCost(add=12),
    ),
    (
        20,
        "g (float[2,9] x) => (float[m,n] v, int64[m,n] i) <int64[1] k = {3}> { v, i = TopK(x, k) }",
        OpCost(compare=2 * 3 * 9),
    ),
    (
        20,
        "g (float[2,9] x) => (float[m,n] v, int64[m,n] i) <int64[1] k = {9}> { v, i = TopK(x, k) }",
        OpCost(compare=2 * 9 * 4),
    ),
    # normalisations
    (
        15,
        (
            "g (float[2,3,4] x, float[3] s, float[3] b, float[3] m, float[3] v) "
            "=> (float[p,q,r] y) "
            "{ y = BatchNormalization(x, s, b, m, v) }"
        ),
        OpCost(add=3 + 48, sqrt=3, mul=48),
    ),
    (
        17,
        (
            "g (float[2,8] x, float[8] s, float[8] b) => (float[m,n] y) "
            "{ y = LayerNormalization(x, s, b) }"
        ),
        OpCost(add=2 * 32 - 2, mul=2 * 24, div=4, sqrt=2),
    ),
    (
        23,
        "g (float[2,8] x, float[8] s) => (float[m,n] y) { y = RMSNormalization(x, s) }",
        OpCost(mul=2 * 24, add=2 * 8, div=2, sqrt=2),
    ),
    (
        21,
        (
            "g (float[1,4,8] x, float[4] s, float[4] b) => (float[p,q,r] y) "
            "{ y = GroupNormalization <num_groups = 2> (x, s, b) }"
        ),
        OpCost(add=2 * (4 * 16) - 2, mul=2 * 48, div=4, sqrt=2),
    ),
    # recurrent
    (
        14,
        (
            "g (float[5,2,3] x, float[2,16,3] w, float[2,16,4] r, float[2,32] b) "
            "=> (float[p,q,r,t] y)"
            ' { y = LSTM <hidden_size = 4, direction = "bidirectional"> (x, w, r, b) }'
        ),
        OpCost(macs=4 * 4 * 7, add=13 * 4, mul=3 * 4, special=5 * 4) * 20,
    ),
    (
        14,
        (
            "g (float[5,2,3] x, float[1,12,3] w, float[1,12,4] r) => (float[p,q,r,t] y)"
            " { y = GRU <hidden_size = 4, linear_before_reset = 1> (x, w, r) }"
        ),
        OpCost(macs=3 * 4 * 7, add=5 * 4, mul=3 * 4, special=3 * 4) * 10,
    ),
    (
        14,
        (
            "g (float[5,2,3] x, float[1,4,3] w, float[1,4,4] r) => (float[p,q,r,t] y)"
            ' { y = RNN <hidden_size = 4, activations = ["Relu"]> (x, w, r) }'
        ),
        OpCost(macs=4 * 7, add=4, compare=4) * 10,
    ),
    # attention: 2 heads of 4 queries and 6 keys of 8
    (
        23,
        (
            "g (float[1,2,4,8] q, float[1,2,6,8] k, float[1,2,6,8] v) => (float[p,q,r,t] y) "
            "{ y = Attention(q, k, v) }"
        ),
        OpCost(macs=2 * 48 * 8, mul=48, compare=8 * 5, add=48 + 8 * 5, special=48, div=48),
    ),
    (
        23,
        (
            "g (float[1,4,16] q, float[1,6,8] k, float[1,6,8] v) => (float[p,q,r] y) "
            "{ y = Attention <q_num_heads = 2, kv_num_heads = 1, is_causal = 1> (q, k, v) }"
        ),
        OpCost(macs=2 * 48 * 8, mul=48, compare=8 * 5, add=96 + 8 * 5, special=48, div=48),
    ),
    # resampling
    (
        20,
        (
            "g (float[1,2,8] x) => (float[p,q,r] y) "
            "{ y = MaxPool <kernel_shape = [3], strides = [2]> (x) }"
        ),
        OpCost(compare=6 * 2),
    ),
    (
        20,
        "g (float[1,2,8] x) => (float[p,q,r] y) { y = GlobalAveragePool(x) }",
        OpCost(add=14, div=2),
    ),
    (
        18,
        (
            "g (float[1,2,4,4] x) => (float[p,q,r,t] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}> "
            '{ y = Resize <mode = "linear"> (x, , s) }'
        ),
        OpCost(mul=128 * 4, add=128 * 3),
    ),
    (
        18,
        (
            "g (float[1,2,4,4] x) => (float[p,q,r,t] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}> "
            "{ y = Resize(x, , s) }"
        ),
        FREE,
    ),
    (
        20,
        "g (float[1,2,4,4] x, float[1,3,3,2] g) => (float[p,q,r,t] y) { y = GridSample(x, g) }",
        # 9 points: 18 coordinates, their floors and distances, 4 corners; 18 results
        OpCost(mul=18 + 9 * 4 + 18 * 4, add=2 * 18 + 2 * 18 + 18 * 3, special=18),
    ),
    (
        20,
        (
            "g (float[1,2,4,4] x, float[1,3,3,2] g) => (float[p,q,r,t] y) { y = GridSample "
            '<mode = "nearest", align_corners = 1, padding_mode = "border"> (x, g) }'
        ),
        OpCost(mul=18, add=18, compare=2 * 18, special=18),
    ),
    (
        19,
        (
            "g (float[1,2,4,4] x, float[3,2,2,2] w, float[1,8,3,3] o, float[3] b, "
            "float[1,4,3,3] m) => (float[p,q,r,t] y) { y = DeformConv(x, w, o, b, m) }"
        ),
        # 36 places of 2 coordinates: moved, floors, distances, 4 corners; 72 numbers; 27 results
        OpCost(macs=27 * 8, add=3 * 72 + 72 * 3 + 27, mul=36 * 4 + 72 * 4 + 72, special=72),
    ),
    (
        13,
        "g (float[1,6,2,2] x) => (float[p,q,r,t] y) { y = LRN <size = 3> (x) }",
        OpCost(mul=2 * 24, add=2 * 24 + 24, special=24, div=24),
    ),
    # Fourier
    (
        17,
        "g (float[2,16,1] x) => (float[p,q,r] y) { y = DFT <axis = 1, onesided = 1> (x) }",
        OpCost(mul=2 * 64, add=2 * 96),
    ),
    (
        20,
        "g (float[2,16,2] x) => (float[p,q,r] y) { y = DFT(x) }",
        OpCost(mul=2 * 128, add=2 * 192),
    ),
    (
        17,
        (
            "g (float[1,32,1] x, float[16] w) => (float[p,q,r,t] y) "
            "<int64 step = {8}> { y = STFT(x, step, w) }"
        ),
        OpCost(mul=3 * (16 + 64), add=3 * 96),
    ),
    (
        18,
        (
            "g (float[1,12,4] x) => (float[p,q,r,t] y) <int64[2] o = {3, 3}, int64[2] k = {2, 2}> "
            "{ y = Col2Im(x, o, k) }"
        ),
        OpCost(add=48 - 27),
    ),
    # quantised
    (
        13,
        (
            "g (float[6] x, float s, uint8 z) => (float[n] y) "
            "{ q = QuantizeLinear(x, s, z)  y = DequantizeLinear(q, s, z) }"
        ),
        OpCost(div=6, special=6, compare=12, mul=6, add=2 * 6),  # both with the zero point
    ),
    (
        13,
        (
            "g (uint8[3,4] a, float s, uint8 z, uint8[4,5] b) => (uint8[m,n] y) "
            "{ y = QLinearMatMul(a, s, z, b, s, z, s, z) }"
        ),
        OpCost(macs=60, mul=15, special=15, compare=30, add=15),
    ),
    (
        13,
        (
            "g (uint8[1,2,6] x, float s, uint8 z, uint8[3,2,3] w, int32[3] b) => (uint8[p,q,r] y) "
            "{ y = QLinearConv(x, s, z, w, s, z, s, z, b) }"
        ),
        OpCost(macs=72, mul=12, special=12, compare=24, add=2 * 12),
    ),
    # operators that ONNX's own inference does not cover, or not in these opsets
    (
        20,
        (
            "g (float[1,128,1] x, float[16] w, float[9,5] m) => (float[p,q,r,t] y) "
            "<int64 step = {8}> { f = STFT(x, step, w)  h = Transpose <perm = [0, 1, 3, 2]> (f) "
            " y = MatMul(h, m) }"
        ),
        OpCost(macs=15 * 2 * 9 * 5, mul=15 * (16 + 64), add=15 * 96),
    ),
    (
        11,
        (
            "g (float[2,3,4] x, float[3,4] w, float[3,4] b) => (float[p,q,r] y) "
            "{ n, mean, d = LayerNormalization <axis = 1> (x, w, b)  y = Mul(n, d) }"
        ),
        OpCost(add=2 * (11 + 12 + 11 + 1 + 12), mul=2 * 36 + 24, div=2 * 2, sqrt=2),
    ),
    (
        13,
        (
            "g (float[2,1] a, float[3] b) => (bool[m,n] y) "
            "{ p = GreaterOrEqual(a, b)  q = LessOrEqual(a, b)  y = And(p, q) }"
        ),
        OpCost(compare=12),
    ),
    (
        13,
        (
            "g (float[2,3,2,2] x) => (float[p,q,r,t] y) "
            "{ n = MeanVarianceNormalization(x)  y = Relu(n) }"
        ),
        OpCost(add=3 * (7 + 8 + 7 + 1), mul=3 * 2 * 8, div=3 * 2, sqrt=3, compare=24),
    ),
    (
        20,
        "g (float[3] x, int64 axis) => (float[m] y) { y = CumSum(x, axis) }",
        OpCost(add=2),
    ),
    (
        20,
        'g (float[2,3,3] x) => (float[p,q] y) { y = Einsum <equation = "...ii->...i"> (x) }',
        FREE,
    ),
    (
        20,
        (
            "g (float[3,3] x, float[3,4] w) => (float[p,q] y) "
            '{ y = Einsum <equation = "ii,ij->ij"> (x, w) }'
        ),
        OpCost(macs=12),
    ),
    (
        20,
        "g (float[1,1,6] x) => (float[p,q,r] y) { y = LpPool <p = 3, kernel_shape = [2]> (x) }",
        OpCost(compare=10, special=10 + 5, add=5),
    ),
    # of each matrix: elimination of 3 and 2 columns, then a product of 3
    (
        20,
        "g (float[5,3,3] x) => (float[p] y) { y = Det(x) }",
        OpCost(compare=3, div=3, mul=4 + 1 + 2, add=4 + 1) * 5,
    ),
    (
        20,
        "g (float[2,5] x) => (float[m,n] y) { y = LpNormalization <p = 1> (x) }",
        OpCost(compare=10, add=8, div=10),
    ),
    (
        20,
        "g (float[2,5] x) => (float[m,n] y) { y = LpNormalization(x) }",
        OpCost(mul=10, add=8, sqrt=2, div=10),
    ),
    (24, "g (float[3] x) => (float[m] y) { y = Swish <alpha = 2.0> (x) }", (SILU + MUL) * 3),
    (24, "g (float[3] x) => (float[m] y) { y = Swish(x) }", SILU * 3),
    (
        20,
        (
            "g (float[5,2,3] x, float[1,16,3] w, float[1,16,4] r, float[1,32] b, float[1,2,4] h, "
            "float[1,12] p) => (float[m,n,o,q] y) "
            '{ y = LSTM <hidden_size = 4> (x, w, r, b, "", h, h, p) }'
        ),
        (LSTM_STEP + OpCost(add=12, mul=12)) * 10,  # three gates look at four cell states
    ),
    (
        20,
        (
            "g (float[1,2,8,8] x, float[3,4] r, int64[3] i) => (float[p,q,s,t] y) "
            "{ y = RoiAlign <output_height = 2, output_width = 2, sampling_ratio = 2> (x, r, i) }"
        ),
        linear_interpolation(24 * 4, 2) + OpCost(add=24 * 3, div=24),
    ),
    (
        20,
        (
            "g (float[1,2,8,8] x, float[3,4] r, int64[3] i) => (float[p,q,s,t] y) { y = RoiAlign "
            '<mode = "max", output_height = 2, output_width = 2, sampling_ratio = 2> (x, r, i) }'
        ),
        linear_interpolation(24 * 4, 2) + OpCost(compare=24 * 3),
    ),
    (
        17,
        "g (float[2,8,3,1] x) => (float[p,q,r,s] y) { y = DFT(x) }",
        OpCost(mul=24, add=36) * 6,  # along axis 1 of 8 real numbers
    ),
    # free
    (
        20,
        "g (float[2,3] x) => (float[m,n] y) { t = Transpose(x)  y = Concat <axis = 0> (t, t) }",
        FREE,
    ),
]


@pytest.mark.parametrize(("opset", "body", "cost"), CASES, ids=[f"{o} {b}" for o, b, _ in CASES])
def test_an_operator_costs_what_its_definition_does(opset: int, body: str, cost: OpCost) -> None:
    report = count_onnx(graph(body, opset=opset))
    assert report.complete
    assert report.cost == cost


FUSED = [
    (
        (
            "g (float[1,2,4] x, float[1,2,4] s, float[4] g, float[4] h, float[4] b) "
            "=> (float[p,q,r] y) { y = com.microsoft.SkipLayerNormalization(x, s, g, h, b) }"
        ),
        OpCost(add=2 * (8 + 3 + 4 + 3 + 1 + 4), mul=2 * 12, div=2 * 2, sqrt=2),
    ),
    (
        (
            "g (float[1,2,4] x, float[1,2,4] s, float[4] g, float[4] b) => (float[p,q,r] y) "
            "{ y = com.microsoft.SkipSimplifiedLayerNormalization(x, s, g, b) }"
        ),
        OpCost(add=2 * (8 + 3 + 1), mul=2 * 12, div=2, sqrt=2),
    ),
    (
        (
            "g (float[1,2,8] x, float[8] b) => (float[p,q,r] y) "
            "{ h = com.microsoft.BiasSplitGelu(x, b)  y = Relu(h) }"
        ),
        GELU_ERF * 8 + OpCost(add=16, mul=8, compare=8),
    ),
    (
        (
            "g (uint8[1,4,6,6] x, float s, uint8 z) => (float[p,q,r,t] y) "
            "{ a = com.microsoft.QLinearGlobalAveragePool(x, s, z, s, z) "
            "d = com.microsoft.DequantizeLinear(a, s, z)  y = Relu(d) }"
        ),
        OpCost(add=4 * 35, div=4, compare=4) + (REQUANTIZE + DEQUANTIZE) * 4,
    ),
    (
        (
            "g (float[3,2,4] a, float[2,5,4] b) => (float[p,q,r] y) "
            "{ y = com.microsoft.FusedMatMul <transBatchA = 1, transB = 1> (a, b) }"
        ),
        OpCost(macs=2 * 3 * 4 * 5),
    ),
    (
        (
            "g (float[2,4,3] a, float[2,4,5] b) => (float[p,q,r] y) "
            "{ y = com.microsoft.FusedMatMul <transA = 1, alpha = 0.5> (a, b) }"
        ),
        OpCost(macs=2 * 3 * 4 * 5, mul=30),
    ),
    (
        (
            "g (float[1,4,9] x, float[6,4,3] w, float[6] b) => (float[p,q,r] y) "
            '{ y = com.microsoft.FusedConv <activation = "Relu"> (x, w, b) }'
        ),
        OpCost(macs=42 * 12, add=42, compare=42),
    ),
    (
        (
            "g (float[1,9,9,4] x, float[6,4,3,3] w) => (float[p,q,r,t] y) "
            "{ y = com.microsoft.NhwcFusedConv <strides = [2, 2]> (x, w) }"
        ),
        OpCost(macs=4 * 4 * 6 * 36),
    ),
    (
        (
            "g (float[3,4] a, float[4,5] b, float[5] c) => (float[m,n] y) "
            '{ y = com.microsoft.FusedGemm <activation = "Relu"> (a, b, c) }'
        ),
        OpCost(macs=60, add=15, compare=15),
    ),
    (
        "g (float[2,4] x, float[4] b) => (float[m,n] y) { y = com.microsoft.BiasGelu(x, b) }",
        OpCost(add=16, mul=24, special=8),
    ),
    (
        "g (float[2,4] x) => (float[m,n] y) { y = com.microsoft.QuickGelu(x) }",
        OpCost(mul=16, special=8),
    ),
    (
        (
            "g (float[1,2,8] x, float[1,2,8] s, float[8] a, float[8] b) => (float[p,q,r] y) "
            "{ y = com.microsoft.SkipLayerNormalization(x, s, a, b) }"
        ),
        OpCost(add=16 + 2 * 32 - 2, mul=48, div=4, sqrt=2),
    ),
    (
        (
            "g (float[1,4,16] x, float[16,48] w, float[48] b) => (float[p,q,r] y) "
            "{ y = com.microsoft.Attention <num_heads = 2> (x, w, b) }"
        ),
        OpCost(
            macs=4 * 16 * 48 + 2 * 32 * 8,
            add=192 + 32 + 8 * 3,
            mul=32,
            compare=24,
            special=32,
            div=32,
        ),
    ),
    (
        (
            "g (float[1,4,16] q, float[1,6,16] k, float[1,6,16] v) => (float[p,q,r] y) "
            "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, k, v) }"
        ),
        OpCost(macs=2 * 48 * 8, mul=48, compare=8 * 5, add=48 + 8 * 5, special=48, div=48),
    ),
    (
        (
            "g (float[1,1,16] q, float[1,1,8] k, float[1,1,8] v, float[1,1,5,8] pk, "
            "float[1,1,5,8] pv, "
            ""
            "int32[1] l, int32 t) => (float[p,q,r] y) "
            "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1> "
            "(q, k, v, pk, pv, l, t) }"
        ),
        OpCost(macs=2 * 12 * 8, mul=12, compare=2 * 5, add=24 + 2 * 5, special=12, div=12),
    ),
    (
        (
            "g (float[3,32] x, uint8[5,2,8] w, float[10] s) => (float[m,n] y) "
            "{ y = com.microsoft.MatMulNBits <K = 32, N = 5, bits = 4, block_size = 16> (x, w, s) }"
        ),
        OpCost(macs=3 * 32 * 5, mul=160),
    ),
    (
        (
            "g (uint8[4] a, float s, uint8 z, uint8[4] b) => (uint8[n] y) "
            "{ y = com.microsoft.QLinearAdd(a, s, z, b, s, z, s, z) }"
        ),
        OpCost(add=4 + 2 * 4 + 4, mul=8, div=4, special=4, compare=8),
    ),
    (
        (
            "g (float[3,4] a, uint8[4,5] b, float s) => (float[m,n] y) "
            "{ y = com.microsoft.DynamicQuantizeMatMul(a, b, s) }"
        ),
        OpCost(macs=60, mul=15, compare=22 + 2 + 24, div=12, special=12, add=12),
    ),
    (
        (
            "g (uint8[3,4] a, float s, uint8 z, uint8[4,5] b) => (float[m,n] y) "
            "{ y = com.microsoft.QGemm(a, s, z, b, s, z) }"
        ),
        OpCost(macs=60, mul=15),
    ),
    (
        (
            "g (uint8[3,4] a, float s, uint8 z, uint8[4,5] b, int32[5] c) => (uint8[m,n] y) "
            "{ y = com.microsoft.QGemm(a, s, z, b, s, z, c, s, z) }"
        ),
        OpCost(macs=60, mul=15, special=15, compare=30, add=15 + 15),
    ),
    (
        (
            "g (uint8[3,4] a, uint8[4,5] b, float s, uint8 z, float[5] c) => (float[m,n] y) "
            "{ y = com.microsoft.MatMulIntegerToFloat(a, b, s, s, z, z, c) }"
        ),
        OpCost(macs=60, mul=15, add=15),
    ),
    (
        (
            "g (int32[1,4] i, float[10,8] w, float[16,8] p, float[8] gain) => (float[b,l,d] y) "
            "{ y, m = com.microsoft.EmbedLayerNormalization(i, , w, p, , gain, gain) }"
        ),
        # positions added; of 4 rows means, deviations, squares, factors, gain and offset
        OpCost(add=32 + 4 * 31, mul=4 * 24, div=4 * 2, sqrt=4),
    ),
    (
        (
            "g (float[1,4,2,3,8] q) => (float[p,q,r] y) "
            "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q) }"
        ),
        OpCost(macs=2 * 32 * 8, mul=32, compare=8 * 3, add=32 + 8 * 3, special=32, div=32),
    ),
    (
        (
            "g (uint8[1,4,16] x, uint8[16,48] w, float[48] b, float s) => (float[p,q,r] y) "
            "{ y = com.microsoft.QAttention <num_heads = 2> (x, w, b, s, s) }"
        ),
        # as Attention above, and each projected number scaled
        OpCost(
            macs=4 * 16 * 48 + 2 * 32 * 8,
            add=192 + 32 + 8 * 3,
            mul=32 + 192,
            compare=24,
            special=32,
            div=32,
        ),
    ),
    (
        (
            "g (float[1,8,9,9] x, float[16,8,3,3] w, float[16] b, float[1,16,4,4] s) "
            "=> (float[p,q,r,t] y) { i = com.microsoft.nchwc.ReorderInput(x) "
            "c = com.microsoft.nchwc.Conv "
            '<strides = [2, 2], activation = "HardSwish"> (i, w, b, s) '
            "m = com.microsoft.nchwc.MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c) "
            "u = com.microsoft.nchwc.Upsample <scales = [1, 1, 3, 3]> (m) "
            "a = com.microsoft.nchwc.GlobalAveragePool(u) "
            "y = com.microsoft.nchwc.ReorderOutput <channels = 10> (a) }"
        ),
        OpCost(macs=256 * 72, add=2 * 256, compare=16 * 4 * 3)
        + HARD_SWISH * 256
        + OpCost(add=35, div=1) * 16,
    ),
    (
        (
            "g (uint8[1,9,9,4] x, float s, uint8 z, uint8[6,2,3,3] w, int32[6] b) => "
            "(float[p,q,r,t] y) { c = com.microsoft.QLinearConv <group = 2, channels_last = 1, "
            "strides = [2, 2], dilations = [1, 2], pads = [1, 0, 1, 0]> "
            "(x, s, z, w, s, z, s, z, b) "
            "p = com.microsoft.QLinearAveragePool <channels_last = 1, kernel_shape = [2, 2], "
            "strides = [2, 2], ceil_mode = 1> (c, s, z, s, z) "
            "d = com.microsoft.DequantizeLinear(p, s, z)  y = Relu(d) }"
        ),
        # 5 x 3 windows, then 3 x 2
        OpCost(macs=90 * 18, add=90 * 2, mul=90, special=90, compare=90 * 2)
        + OpCost(add=36 * (3 + 1), div=36, mul=36, special=36, compare=36 * 2)
        + OpCost(add=36, mul=36)
        + OpCost(compare=36),
    ),
    (
        (
            "g (uint8[1,4,8,8] x, float s, uint8 z, uint8[6,4,3,3] w) => (float[p,q,r,t] y) { "
            'c = com.microsoft.QLinearConv <auto_pad = "SAME_UPPER", strides = [3, 2]> '
            "(x, s, z, w, s, z, s, z)  y = com.microsoft.DequantizeLinear(c, s, z) }"
        ),
        OpCost(macs=72 * 36, add=72, mul=72, special=72, compare=72 * 2) + OpCost(add=72, mul=72),
    ),
    (
        (
            "g (bool[2,1] c, uint8[3] a, float s, uint8 z, uint8[1,3] b) => (uint8[m,n] y) "
            "{ y = com.microsoft.QLinearWhere(c, a, s, z, b, s, z, s, z) }"
        ),
        (DEQUANTIZE * 2 + QUANTIZE + OpCost(compare=1)) * 6,
    ),
    (
        (
            "g (float[7,2,3] x, int8[2,3,16] w, int8[2,4,16] r, float[2,32] b, float[2] s, "
            "int8[2] z, float[2,2,4] h, float[2,12] p) => (float[m,n,o,q] u) "
            "{ y, last = com.microsoft.DynamicQuantizeLSTM "
            '<direction = "bidirectional", hidden_size = 4> (x, w, r, b, "", h, h, p, s, z, s, z) '
            " u = Relu(y) }"
        ),
        # the layer in floats, peepholes, 3 + 4 numbers quantised, 32 rescaled; then Relu
        LSTM_STEP * 28
        + OpCost(add=12, mul=12 + 32) * 28
        + (QUANTIZE * 7 + OpCost(compare=2 * (2 + 3) + 4)) * 28
        + OpCost(compare=7 * 2 * 2 * 4),
    ),
]


@pytest.mark.parametrize(("body", "cost"), FUSED, ids=[body for body, _ in FUSED])
def test_a_fused_operator_costs_what_it_fuses(body: str, cost: OpCost) -> None:
    report = count_onnx(graph(body, domains=f'{MICROSOFT}, "com.microsoft.nchwc" : 1'))
    assert report.complete
    assert report.cost == cost


def test_no_operator_has_two_rules() -> None:
    assert len(ONNX_RULES) == sum(len(family) for family in FAMILIES)
    with pytest.raises(ValueError, match=r"two rules: onnx\.Conv$"):
        merge_rules((*FAMILIES, {"onnx.Conv": ONNX_RULES["onnx.Conv"]}))


def test_bytes_are_operands_and_results_once() -> None:
    body = "g (float[2,3] x) => (float[n] y) <int64[1] s = {-1}> { r = Relu(x)  y = Reshape(r, s) }"
    assert count_onnx(graph(body)).bytes_moved == 2 * 6 * 4


def test_lookups_read_what_they_return() -> None:
    body = "g (float[100,3] t, int64[4] i) => (float[m,n] y) { y = Gather(t, i) }"
    assert count_onnx(graph(body)).bytes_moved == 2 * 12 * 4 + 4 * 8


def test_a_rotation_turns_queries_and_keys() -> None:
    body = """g (float[1,2,32] q, float[1,2,16] k, float[1,2,16] v) => (float[p,r,s] y) {
      y = com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2ROTARY> (q, k, v) }"""
    plain, turned = (
        count_onnx(graph(body.replace("ROTARY", text), domains=MICROSOFT)).cost
        for text in ("", ", do_rotary = 1")
    )
    assert turned == plain + ROTATION * (2 * (4 + 2) * 8)  # two positions, six heads of 8


def test_the_past_is_attended_to() -> None:
    body = """g (uint8[1,4,16] x, uint8[16,48] w, float[48] b, float s, uint8 z, int32[1] m,
        float[2,1,2,7,8] past) => (float[p,q,r] y) {
      y = com.microsoft.QAttention <num_heads = 2> (x, w, b, s, s, m, z, zPAST) }"""
    without, with_it = (
        count_onnx(graph(body.replace("PAST", text), domains=MICROSOFT)).macs
        for text in ("", ", past")
    )
    assert with_it == without + 2 * 4 * 7 * 8 * 2  # seven more keys and values, in two heads
