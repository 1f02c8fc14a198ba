"""The counters of the benchmark: each returns MACs, and whether it reported that some are missing.

They are called as their users call them, not through `inspect_cost.crosschecking.peers`: those
adapters also record every operator, and their own work would show in the benchmark's times.
"""

import contextlib
import inspect
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

Inputs = tuple[Tensor, ...]


class Answer(NamedTuple):
    """A tool's result.

    Attributes:
        macs: multiply-accumulates.
        incomplete: whether the tool itself reports that some are missing.
    """

    macs: float
    incomplete: bool


#: What tools print when they skip something.
MISSING = re.compile(
    r"unsupported|not supported|cannot find|zero-op|skipped|no handlers", re.IGNORECASE
)


@contextlib.contextmanager
def capture_messages() -> Iterator[io.StringIO]:
    """Capture what is printed, logged and warned about inside the block."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield text
        text.write("\n".join(str(warning.message) for warning in caught))
    logging.getLogger().removeHandler(handler)


def count_with_inspect_cost(model: nn.Module, inputs: Inputs) -> Answer:
    """Count with this project."""
    from inspect_cost import count  # noqa: PLC0415 - each tool is imported where it runs

    report = count(model, *inputs)
    return Answer(report.macs, not report.complete)


def count_with_flop_counter_mode(model: nn.Module, inputs: Inputs) -> Answer:
    """Count FLOPs at 2 per MAC; the tool never reports that some are missing."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return Answer(counter.get_total_flops() / 2, incomplete=False)


def count_with_fvcore(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs; the tool lists the operators that it skipped."""
    from fvcore.nn import FlopCountAnalysis  # noqa: PLC0415

    analysis = FlopCountAnalysis(model, inputs)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    return Answer(analysis.total(), bool(analysis.unsupported_ops()))


def count_with_thop(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs; the tool prints the layers that it skipped."""
    from thop import profile  # noqa: PLC0415

    with capture_messages() as text:
        macs = profile(model, inputs, verbose=False, report_missing=True)[0]
    return Answer(macs, bool(MISSING.search(text.getvalue())))


def count_with_ptflops(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs with the tool's backend for operators."""
    from ptflops import get_model_complexity_info  # noqa: PLC0415

    names = list(inspect.signature(model.forward).parameters)
    given = dict(zip(names, inputs, strict=False))
    with capture_messages() as text:
        macs, _ = get_model_complexity_info(
            model,
            (1,),
            print_per_layer_stat=False,
            as_strings=False,
            input_constructor=lambda _: given,
            backend="aten",
            verbose=True,
        )
    if macs is None:
        raise RuntimeError(text.getvalue()[-100:])
    return Answer(macs, bool(MISSING.search(text.getvalue())))


def count_with_torchinfo(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs, which the tool calls mult-adds; it never reports that some are missing."""
    from torchinfo import summary  # noqa: PLC0415

    return Answer(summary(model, input_data=inputs, verbose=0).total_mult_adds, incomplete=False)


def count_with_calflops(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs; the tool never reports that some are missing."""
    from calflops import calculate_flops  # noqa: PLC0415

    options = {"print_results": False, "output_as_string": False}
    return Answer(calculate_flops(model, args=list(inputs), **options)[1], incomplete=False)


def count_with_torchprofile(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs; the tool warns about each operator that it skipped."""
    from torchprofile import profile_macs  # noqa: PLC0415

    with capture_messages() as text:
        macs = profile_macs(model, inputs)
    return Answer(macs, bool(MISSING.search(text.getvalue())))


def count_with_torchscan(model: nn.Module, inputs: Inputs) -> Answer:
    """Count FLOPs at 2 per MAC by the tool's report on operators, which has a status."""
    from torchscan import crawl_module  # noqa: PLC0415

    total = crawl_module(model, args=inputs)["operator_flops"]["total"]
    known = total["known_value"]
    if known is None:
        raise RuntimeError(f"its total is {total['status']}")
    return Answer(known / 2, total["status"] != "complete")


def count_with_deepspeed(model: nn.Module, inputs: Inputs) -> Answer:
    """Count MACs; the tool never reports that some are missing."""
    from deepspeed.profiling.flops_profiler import get_model_profile  # noqa: PLC0415

    options = {"print_profile": False, "as_string": False, "warm_up": 0}
    with capture_messages():
        macs = get_model_profile(model, args=list(inputs), **options)[1]
    return Answer(macs, incomplete=False)


@dataclass(frozen=True)
class Tool:
    """A counter.

    Attributes:
        module: what it is imported as.
        count: counts one forward.
    """

    module: str
    count: Callable[[nn.Module, Inputs], Answer]


#: Name -> the tool.
TOOLS: Mapping[str, Tool] = {
    "inspect-cost": Tool("inspect_cost", count_with_inspect_cost),
    "FlopCounterMode": Tool("torch.utils.flop_counter", count_with_flop_counter_mode),
    "torchscan": Tool("torchscan", count_with_torchscan),
    "DeepSpeed": Tool("deepspeed", count_with_deepspeed),
    "ptflops": Tool("ptflops", count_with_ptflops),
    "ultralytics-thop": Tool("thop", count_with_thop),
    "fvcore": Tool("fvcore", count_with_fvcore),
    "calflops": Tool("calflops", count_with_calflops),
    "torchprofile": Tool("torchprofile", count_with_torchprofile),
    "torchinfo": Tool("torchinfo", count_with_torchinfo),
    "thop": Tool("thop", count_with_thop),
}

#: Distributions of the tools that are not here already: their names in lower case.
INSTALLED = tuple(name.lower() for name in TOOLS if name not in {"inspect-cost", "FlopCounterMode"})
#: One whose module has the name of another's, so that it gets a folder of its own.
APART = "ultralytics-thop"
