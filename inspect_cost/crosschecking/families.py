"""Which operators do the same kind of work, by whatever name each counter calls them."""

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


def plain_name(operator: str) -> str:
    """An operator's name without its namespace and overload, in small letters.

    >>> plain_name("aten::_convolution"), plain_name("aten.lstm.input"), plain_name("Gemm")
    ('_convolution', 'lstm', 'gemm')
    """
    return (
        re.sub(r"^(aten|quantized|onnx|com\.microsoft)(::|\.)", "", operator).split(".")[0].lower()
    )


def family_of(operator: str) -> str:
    """The family that an operator belongs to.

    >>> family_of("aten.addmm"), family_of("aten::lstm"), family_of("ConvTranspose")
    ('matrix product', 'recurrent', 'convolution')
    """
    name = plain_name(operator)
    return next((family for family, pattern in _FAMILIES if pattern.fullmatch(name)), OTHER)
