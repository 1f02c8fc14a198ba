"""Rules for normalisations."""

from math import prod

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import normalization as formula
from inspect_cost.formulas.pointwise import ADD, DIV, SILU
from inspect_cost.formulas.reduction import norm1, norm2
from inspect_cost.values.cost import OpCost


def batch_norm(call: NodeCall) -> OpCost | None:
    """Count batch norm with the stored statistics or, in training mode, with the batch's."""
    training = call.get("training_mode", 0)
    kind = formula.batch_norm_training if training else formula.batch_norm_inference
    return kind(call.x.size, call.operand(1).size, scaled=True, shifted=True)


def layer_norm(call: NodeCall) -> OpCost | None:
    """Count layer norm, with statistics over the dimensions from ``axis`` on."""
    n = prod(call.x.sizes[call.get("axis", -1) :])
    return formula.layer_norm(call.x.size // max(1, n), n, scaled=True, shifted=call.has(2))


def instance_norm(call: NodeCall) -> OpCost | None:
    """Count instance norm, with statistics per channel and batch entry."""
    groups = prod(call.x.sizes[:2])
    return formula.layer_norm(groups, call.x.size // max(1, groups), scaled=True, shifted=True)


def group_norm(call: NodeCall) -> OpCost | None:
    """Count group norm, with statistics per group of channels and batch entry."""
    groups: int = call.x.sizes[0] * call.get("num_groups", call.get("groups"))
    silu = SILU * (call.x.size * bool(call.get("activation", 0)))
    normed = formula.layer_norm(groups, call.x.size // max(1, groups), scaled=True, shifted=True)
    return normed + silu


def rms_norm(call: NodeCall) -> OpCost | None:
    """Count RMS norm over the dimensions from ``axis`` on."""
    n = prod(call.x.sizes[call.get("axis", -1) :])
    return formula.rms_norm(call.x.size // max(1, n), n, scaled=call.has(1))


def skip_layer_norm(call: NodeCall) -> OpCost | None:
    """Count layer norm of `x + skip + bias`; operands: x, skip, gamma, beta, optional bias."""
    n, size = call.x.sizes[-1], call.x.size
    added = ADD * size * (1 + call.has(4))
    return added + formula.layer_norm(size // max(1, n), n, scaled=True, shifted=call.has(3))


def skip_rms_norm(call: NodeCall) -> OpCost | None:
    """Count RMS norm of `x + skip + bias`; operands: x, skip, gamma, optional bias."""
    n, size = call.x.sizes[-1], call.x.size
    return ADD * size * (1 + call.has(3)) + formula.rms_norm(size // max(1, n), n, scaled=True)


def embed_layer_norm(call: NodeCall) -> OpCost | None:
    """Count layer norm of the sum of word, position and, if present, segment embeddings."""
    out, n = call.out.size, call.out.sizes[-1]
    return ADD * out * (1 + call.has(1)) + formula.layer_norm(
        out // max(1, n), n, scaled=True, shifted=True
    )


def lp_normalization(call: NodeCall) -> OpCost | None:
    """Count dividing each number by the norm of its row."""
    n = call.x.sizes[call.get("axis", -1)]
    norm = norm1 if call.get("p", 2) == 1 else norm2
    return norm(call.x.size // max(1, n), n) + DIV * call.x.size


def mean_variance(call: NodeCall) -> OpCost | None:
    """Count `(x - mean) / deviation`, by default over all axes except the channels'."""
    axes = call.get("axes", [0, 2, 3])
    n = prod(call.x.sizes[axis] for axis in axes)
    return formula.standardised(call.x.size // max(1, n), n)


def local_response(call: NodeCall) -> OpCost | None:
    """Count `x / (bias + alpha / n * s) ** beta`, s summing squares of n neighbouring channels."""
    size: int = call.get("size")
    return formula.local_response_norm(call.out.size, size, call.get("beta", 0.75))


NORMALIZATIONS: dict[str, Rule] = {
    "onnx.BatchNormalization": batch_norm,
    "onnx.LayerNormalization": layer_norm,
    "onnx.InstanceNormalization": instance_norm,
    "onnx.GroupNormalization": group_norm,
    "onnx.RMSNormalization": rms_norm,
    "onnx.SimplifiedLayerNormalization": rms_norm,
    "onnx.LpNormalization": lp_normalization,
    "onnx.MeanVarianceNormalization": mean_variance,
    "onnx.LRN": local_response,
    "com.microsoft.LayerNormalization": layer_norm,
    "com.microsoft.SimplifiedLayerNormalization": rms_norm,
    "com.microsoft.SkipLayerNormalization": skip_layer_norm,
    "com.microsoft.SkipSimplifiedLayerNormalization": skip_rms_norm,
    "com.microsoft.EmbedLayerNormalization": embed_layer_norm,
    "com.microsoft.GroupNorm": group_norm,
}
