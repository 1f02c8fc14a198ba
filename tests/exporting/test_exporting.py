"""Exported graphs against torch: the same outputs, and the same counts."""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost import CostReport, count, count_onnx, exporting
from inspect_cost.errors import CountError, UsageError
from inspect_cost.exporting import exported, exported_preset

# torch's exporter warns of its own deprecated calls
pytestmark = pytest.mark.filterwarnings("ignore")

SMALL: dict[str, tuple[dict[str, Any], int]] = {
    "wavegan": ({"model_size": 2}, 100),
    "sing": ({}, 100),
}
