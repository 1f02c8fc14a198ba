"""The counters of the counting benchmark: each as MACs, and whether it said that it missed some."""

import contextlib
import inspect
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

Inputs = tuple[Tensor, ...]


class Answer(NamedTuple):
    """MACs, and whether the tool itself says that they are not all."""

    macs: float
    incomplete: bool


#: What tools print where they pass something over.
MISSING = re.compile(
    r"unsupported|not supported|cannot find|zero-op|skipped|no handlers", re.IGNORECASE
)


@contextlib.contextmanager
def heard() -> Iterator[io.StringIO]:
    """What is printed, logged and warned of meanwhile."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield text
        text.write("\n".join(str(warning.message) for warning in caught))
    logging.getLogger().removeHandler(handler)


def inspect_cost(model: nn.Module, inputs: Inputs) -> Answer:
    """This project."""
    from inspect_cost import count  # noqa: PLC0415 - each tool is imported where it runs

    report = count(model, *inputs)
    return Answer(report.macs, not report.complete)


def flop_counter_mode(model: nn.Module, inputs: Inputs) -> Answer:
    """FLOPs at 2 a MAC; it never says."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return Answer(counter.get_total_flops() / 2, incomplete=False)


def fvcore(model: nn.Module, inputs: Inputs) -> Answer:
    """MACs, and a list of the operators that it passed over."""
    from fvcore.nn import FlopCountAnalysis  # noqa: PLC0415

    analysis = FlopCountAnalysis(model, inputs)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    return Answer(analysis.total(), bool(analysis.unsupported_ops()))


def thop(model: nn.Module, inputs: Inputs) -> Answer:
    """MACs."""
    from thop import profile  # noqa: PLC0415

    with heard() as text:
        macs = profile(model, inputs, verbose=False, report_missing=True)[0]
    return Answer(macs, bool(MISSING.search(text.getvalue())))


def ptflops(model: nn.Module, inputs: Inputs) -> Answer:
    """MACs, by its operators' backend."""
    from ptflops import get_model_complexity_info  # noqa: PLC0415

    names = list(inspect.signature(model.forward).parameters)
    given = dict(zip(names, inputs, strict=False))
    with heard() as text:
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


def torchinfo(model: nn.Module, inputs: Inputs) -> Answer:
    """MACs, called mult-adds; it never says."""
    from torchinfo import summary  # noqa: PLC0415

    return Answer(summary(model, input_data=inputs, verbose=0).total_mult_adds, incomplete=False)


def calflops(model: nn.Module, inputs: Inputs) -> Answer:
    """Both; it never says."""
    from calflops import calculate_flops  # noqa: PLC0415

    options = {"print_results": False, "output_as_string": False}
    return Answer(calculate_flops(model, args=list(inputs), **options)[1], incomplete=False)


def torchprofile(model: nn.Module, inputs: Inputs) -> Answer:
    """MACs, with a warning for each operator that it passed over."""
    from torchprofile import profile_macs  # noqa: PLC0415

    with heard() as text:
        macs = profile_macs(model, inputs)
    return Answer(macs, bool(MISSING.search(text.getvalue())))


def torchscan(model: nn.Module, inputs: Inputs) -> Answer:
    """FLOPs at 2 a MAC by its operators' report, which has a status."""
    from torchscan import crawl_module  # noqa: PLC0415

    total = crawl_module(model, args=inputs)["operator_flops"]["total"]
    known = total["known_value"]
    if known is None:
        raise RuntimeError(f"its total is {total['status']}")
    return Answer(known / 2, total["status"] != "complete")


def deepspeed(model: nn.Module, inputs: Inputs) -> Answer:
    """Both; it never says."""
    from deepspeed.profiling.flops_profiler import get_model_profile  # noqa: PLC0415

    options = {"print_profile": False, "as_string": False, "warm_up": 0}
    with heard():
        macs = get_model_profile(model, args=list(inputs), **options)[1]
    return Answer(macs, incomplete=False)


Tool = Callable[[nn.Module, Inputs], Answer]

#: Name -> the tool.
TOOLS: Mapping[str, Tool] = {
    "inspect-cost": inspect_cost,
    "FlopCounterMode": flop_counter_mode,
    "torchscan": torchscan,
    "DeepSpeed": deepspeed,
    "ptflops": ptflops,
    "ultralytics-thop": thop,
    "fvcore": fvcore,
    "calflops": calflops,
    "torchprofile": torchprofile,
    "torchinfo": torchinfo,
    "thop": thop,
}

#: Distribution of each tool that is not here already; it is the name in small letters.
INSTALLED = tuple(name.lower() for name in TOOLS if name not in {"inspect-cost", "FlopCounterMode"})
#: One that takes the module name of another, and so gets a folder of its own.
APART = "ultralytics-thop"
