"""Families of operators that do the same kind of work, under every counter's names."""

import re

CONVOLUTION = "convolution"
PRODUCT = "matrix product"
ATTENTION = "attention"
RECURRENT = "recurrent"
#: One operator that does the work of several modules.
FUSED = "fused"
OTHER = "other"

#: One of these may be carried out as another: attention as matrix products, say.
CONTRACTIONS = (CONVOLUTION, PRODUCT, ATTENTION, RECURRENT)

_PATTERNS = (
    (FUSED, r"_transformer_encoder_layer_fwd|_native_multi_head_attention"),
    (RECURRENT, r"(mkldnn_)?rnn(_.*)?|(quantized_)?(lstm|gru)(_.*)?|_thnn_.*cell.*|_cudnn_rnn.*"),
    (ATTENTION, r".*attention.*"),
    (CONVOLUTION, r".*conv(\d?d|_?transpose.*|olution.*|integer)?(_\w+)?"),
    (
        PRODUCT,
        r"\w*(mm|matmul\w*|bmm|gemm\w*)|mv|addmv|dot|vdot|_?(bi|tri)?linear\w*|einsum|tensordot",
    ),
)
_FAMILIES = tuple((family, re.compile(pattern)) for family, pattern in _PATTERNS)


def strip_namespace(operator: str) -> str:
    """Return an operator's name without its namespace and overload, in small letters.

    >>> strip_namespace("aten::_convolution"), strip_namespace("aten.lstm.input")
    ('_convolution', 'lstm')
    """
    return (
        re.sub(r"^(aten|quantized|onnx|com\.microsoft)(::|\.)", "", operator).split(".")[0].lower()
    )


def find_family(operator: str) -> str:
    """Return the family that an operator belongs to.

    >>> find_family("aten.addmm"), find_family("aten::lstm"), find_family("ConvTranspose")
    ('matrix product', 'recurrent', 'convolution')
    """
    name = strip_namespace(operator)
    return next((family for family, pattern in _FAMILIES if pattern.fullmatch(name)), OTHER)
