"""Meaning of the numbers: the one home of the conventions that every count follows."""

from collections.abc import Mapping
from types import MappingProxyType

#: Raised when a convention changes what a number means; reports refer to it.
VERSION = 1
#: Topic -> one convention, in the words that `inspect-cost conventions` prints.
CONVENTIONS: Mapping[str, str] = MappingProxyType(
    {
        "kinds": (
            "Every number has a kind: counted (exact, from shapes), measured (a sensor or a "
            "clock), estimated (a model, which is named) or reported (a publication). A missing "
            "value is missing, never 0."
        ),
        "mac": (
            "One multiplication and one accumulation inside a contraction: matrix product, "
            "convolution, recurrent cell, attention, sums of embedding bags. A transposed "
            "convolution takes input positions x taps; its stride does not multiply. A sparse "
            "matrix takes part with the entries that it stores."
        ),
        "policy": (
            "dense: every tap of every computed output counts, on padding or not, and every "
            "attention score, masked or not. valid leaves out taps on padding, cropped taps of "
            "transposed convolutions, and the scores that a causal mask or a known mask of "
            "booleans removes. Reports name the policy in force."
        ),
        "flops": (
            "2 x MACs + all other arithmetic. The other arithmetic is kept by class (add, mul, "
            "div, sqrt, special, compare), and each operation counts 1."
        ),
        "classes": (
            "add: additions, subtractions, changes of sign. mul, div: products, quotients. sqrt: "
            "square roots and their reciprocals. special: exp, log, tanh, sigmoid, sin, erf, pow "
            "and the like, one evaluation being 1. compare: relu, max, abs, clamp, where, "
            "comparisons."
        ),
        "operators": (
            "An operator costs what its textbook definition does, without fusion. Of n numbers: "
            "softmax 5n - 2, log-softmax 5n - 1, layer norm 7n + 2 (5n + 2 without affine map), "
            "group and instance norm the same per group, RMS norm 4n + 2. Batch norm at inference: "
            "4 an element and 2 a channel. GELU 5 (8 by tanh), SiLU 2, LeakyReLU 1. LSTM step of "
            "H units 21 H besides its MACs (13 H unbiased), GRU step 17 H (11 H). Attention: a "
            "product for each score, an addition more where masked, softmax by row. Bilinear "
            "interpolation 7 an output. top-k of n: k n comparisons. sort: n ceil(log2 n), as are "
            "medians, modes, quantiles and unique values; binary search: ceil(log2(n + 1)). "
            "Scatter and index-add: one operation for each element of the source. FFT of N "
            "numbers, in all its dimensions: 5 N log2 N complex, half of that real, in sums and "
            "products as 3 to 2; its scaling is free."
        ),
        "boxes": (
            "Pooling boxes at samples: bilinear interpolation of each, and their mean; at whole "
            "pixels: their maximum or mean, if the boxes' values are known. Non-maximum "
            "suppression of n boxes: all n (n - 1) / 2 pairs, 13 each, which is the most there can "
            "be, and a sort. A deformable convolution interpolates its input at moved positions "
            "besides its MACs."
        ),
        "quantised": (
            "MACs of integers are MACs. Quantising a number: a division, rounding, an addition and "
            "two comparisons; back: an addition and a product. Dynamic quantisation also searches "
            "the range of its input; sums over integers are rescaled, a product an output. "
            "Four-bit weights are unpacked at each call, a product and an addition each."
        ),
        "linear algebra": (
            "Cholesky, LU, substitution, determinants and inverses by their textbook loops. What "
            "iterates until it converges (eigenvalues, singular values, the matrix exponential) "
            "has no exact count and is uncounted."
        ),
        "weight norm": (
            "w weights in r groups: 3w + r (w squares, w - r sums, r roots, r divisions, w "
            "products), at each call that computes the kernel."
        ),
        "bias": "One addition an output.",
        "free": (
            "Data movement (views, copies, padding, look-ups, casts), random numbers, and integer "
            "or boolean arithmetic outside contractions take no floating-point operations; they "
            "are known to be free, not forgotten. MACs of integers are MACs."
        ),
        "complex": (
            "Counted in real operations: a complex product is 4 mul and 2 add, a complex MAC 4 "
            "MACs."
        ),
        "parameters": (
            "Elements of the unique tensors of the module that runs, as stored; tied weights once, "
            "buffers apart. Weight-normed kernels are stored as direction and length; folded, the "
            "lengths are gone."
        ),
        "bytes": (
            "Each operator reads its operands once and writes its result once; views move nothing, "
            "look-ups read the rows that they return."
        ),
        "uncounted": (
            "An operator without a known cost is listed with its calls, and its arithmetic is in "
            "no total."
        ),
        "inference": (
            "What is counted is one call in eval mode without gradients. Per second of audio means "
            "of the audio generated, before it is cropped to the length asked for."
        ),
    }
)
