"""torchvision beside a torch that its library was not built for.

torchvision's wheel on PyPI is built for CUDA. Beside torch for CPUs its library does not load, and
`import torchvision`, which timm does too, then fails where it registers shapes for its operators.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

#: The operators whose shapes torchvision registers even where its library is not loaded.
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_REGISTERED = ("nms", "qnms")


def declare_missing_operators() -> bool:
    """Let torchvision be imported; return whether its operators are there.

    Where its library does not load, the operators that it insists on are declared, without kernels.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except (OSError, RuntimeError):
        for name in _REGISTERED:
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(f"torchvision::{name}", _SCHEMA)
        return False
    return True
