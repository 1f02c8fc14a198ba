"""Meta kernels of our own: the results of common operators, without values.

Torch's meta kernels are written in Python: one addition takes a tenth of a millisecond, and the
first imports torch's compiler, which takes seconds. So the plain cases of frequent operators,
contiguous and of one floating type, are answered here. Each function returns None for a case that
is not plain; torch's own kernel then decides, as it does on every error.
"""

from collections.abc import Callable, Mapping
from functools import partial

from inspect_cost.counting.torch.meta.contraction import (
    attention,
    batch_product,
    convolution,
    fused_attention,
    fused_attention_gradients,
    grouped_product,
    linear,
    matrix_by_vector,
    matrix_product,
    packed_linear,
    product,
    sparse_sum_of_products,
    transposed_convolution,
)
from inspect_cost.counting.torch.meta.fourier import inverse_short_time_transform
from inspect_cost.counting.torch.meta.normalization import (
    batch_norm,
    group_norm,
    layer_norm,
    rms_norm,
    weight_norm,
)
from inspect_cost.counting.torch.meta.plain import Result
from inspect_cost.counting.torch.meta.pointwise import (
    along_dimension,
    clamp,
    comparison,
    complex_number,
    conjunction,
    elementwise,
    in_place,
    like,
    quotient,
    where,
)
from inspect_cost.counting.torch.meta.recurrent import layer_result, next_state, packed_result
from inspect_cost.counting.torch.meta.regions import REGIONS
from inspect_cost.counting.torch.meta.selection import (
    concatenation,
    embedding,
    mean,
    passed_check,
    stack,
    vector_norm,
)

_ELEMENTWISE = """
    add sub mul div neg exp log sqrt rsqrt sin cos tanh sigmoid erf relu leaky_relu silu gelu
    elu softplus maximum minimum rsub abs reciprocal square remainder
    floor ceil round sign
"""
LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")

MetaKernel = Callable[..., Result]

_PLAIN_CASES: dict[str, MetaKernel] = (
    {f"aten.{name}": elementwise for name in _ELEMENTWISE.split()}
    | {f"aten.{name}_": in_place for name in _ELEMENTWISE.split()}
    | {f"prims.{name}": elementwise for name in "add sub mul div".split()}
    | {f"aten.{name}.Scalar": comparison for name in "eq ne lt le gt ge".split()}
    | {f"aten.conv{d}d": partial(convolution, d) for d in (1, 2, 3)}
    | {f"aten.conv_transpose{d}d": partial(transposed_convolution, d) for d in (1, 2, 3)}
    | {f"aten.{kind}.input": layer_result for kind in LAYERS}
    | {f"aten.{kind}.data": packed_result for kind in LAYERS}
    | {f"aten.{kind}_cell": next_state for kind in LAYERS}
    | {f"aten.quantized_{kind}.input": layer_result for kind in LAYERS[:2]}
    | {
        "aten._weight_norm": weight_norm,
        "aten.layer_norm": layer_norm,
        "aten.rms_norm": rms_norm,
        "aten.group_norm": group_norm,
        "aten.batch_norm": batch_norm,
        "aten.cat": concatenation,
        "aten.linalg_vector_norm": vector_norm,
        "aten.div.Tensor": quotient,
        "aten.where.self": where,
        "aten.polar": complex_number,
        "aten.complex": complex_number,
        "aten.where.ScalarSelf": where,
        "aten.where.ScalarOther": where,
        "aten.__and__.Tensor": conjunction,
        "aten.logical_and": conjunction,
        "aten.stack": stack,
        "aten.istft": inverse_short_time_transform,
        "aten.pow.Tensor_Scalar": elementwise,
        "aten.clamp.default": clamp,
        "aten.clamp_min.default": clamp,
        "aten.clamp_max.default": clamp,
        "aten.mean.dim": mean,
        "aten.softmax": along_dimension,
        "aten.log_softmax": along_dimension,
        "aten.cumsum": along_dimension,
        "aten.mv": matrix_by_vector,
        "aten.mm": matrix_product,
        "aten.bmm": batch_product,
        "aten.matmul": product,
        "aten.scaled_dot_product_attention": attention,
        "aten._scaled_dot_product_flash_attention_for_cpu": fused_attention,
        "aten._scaled_dot_product_flash_attention_for_cpu_backward": fused_attention_gradients,
        "aten._sparse_addmm": sparse_sum_of_products,
        "aten._grouped_mm": grouped_product,
        "aten.linear": linear,
        "aten.embedding": embedding,
        "aten._is_all_true": passed_check,
        "aten.randn_like": like,
        "aten.rand_like": like,
        "quantized.linear_dynamic": packed_linear,
        "quantized.linear_relu_dynamic": packed_linear,
        "quantized.linear_dynamic_fp16": packed_linear,
    }
)

#: From an operator, or one overload of it, to the kernel that makes its result without values.
META_KERNELS: Mapping[str, MetaKernel] = {**_PLAIN_CASES, **REGIONS}
