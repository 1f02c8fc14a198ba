"""``inspect-cost crosscheck``: other counters on the same call, and why they differ."""

from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import FAILED, OK, complain, progress_bar
from inspect_cost.values.errors import UsageError


def crosscheck(
    model: str,
    /,
    *,
    subject: Annotated[SubjectOptions | None, Parameter(name="*")] = None,
    timeout: float = 120.0,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Count with fvcore, thop, FlopCounterMode and through ONNX too, and explain the differences.

    Parameters
    ----------
    model
        A preset's name, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    timeout
        Seconds that each of the other counters may take.
    strict
        Exit with 1 if any part of a difference has no explanation.
    """
    if not 0 < timeout < float("inf"):
        raise UsageError(f"--timeout {timeout:g} is not a time limit", "Give seconds, such as 60.")
    wanted = writing or OutputOptions()
    wanted.check()
    named = (subject or SubjectOptions()).resolve(model)

    from inspect_cost.engine.inspecting import crosscheck_subject

    with progress_bar(f"counting {model} with others") as progress:
        check = crosscheck_subject(named, timeout, progress)
    wanted.write(check)
    if check.unexplained and strict:
        complain(f"unexplained under --strict: {', '.join(check.unexplained)}.")
        return FAILED
    return OK
