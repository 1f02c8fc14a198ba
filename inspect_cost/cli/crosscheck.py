"""``inspect-cost crosscheck``: what other counters count, and why they differ."""

from typing import Annotated

from inspect_cost.cli.arguments import Flag
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import FAILED, OK, progress_bar, warn
from inspect_cost.values.errors import UsageError


def crosscheck(
    model: str,
    /,
    *,
    subject: SubjectOptions = SubjectOptions(),
    timeout: float = 120.0,
    output: OutputOptions = OutputOptions(),
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Compare the count with those of fvcore, thop, FlopCounterMode and the ONNX export.

    Every difference is explained, operator by operator.

    Parameters
    ----------
    model
        Preset, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    timeout
        Time limit for each of the other counters, in seconds.
    strict
        Exit with 1 if part of a difference cannot be explained.
    """
    if not 0 < timeout < float("inf"):
        raise UsageError(f"--timeout {timeout:g} is not a time limit", "Give seconds, such as 60.")
    output.check()
    target = subject.resolve(model)

    from inspect_cost.engine.inspecting import crosscheck_subject

    with progress_bar(f"counting {model} with others") as progress:
        check = crosscheck_subject(target, timeout, progress)
    output.write(check)
    if check.unexplained and strict:
        warn(f"unexplained under --strict: {', '.join(check.unexplained)}.")
        return FAILED
    return OK
