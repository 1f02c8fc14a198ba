"""``inspect-cost explain``: the shapes and formulas behind a cost."""

from typing import Annotated, Literal

from inspect_cost.cli.arguments import Flag
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import OK


def explain(
    model: str,
    path: str,
    /,
    *,
    subject: SubjectOptions = SubjectOptions(),
    policy: Literal["dense", "valid"] = "dense",
    backward: Annotated[bool, Flag] = False,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show how the cost of one module or operator follows from shapes.

    Each call is shown with its shapes, formulas and bytes, and with what --policy valid leaves.

    Parameters
    ----------
    model
        Preset, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    path
        Module, such as layer1.0.conv1, or operator, such as aten.conv2d.
    policy
        What to count: dense, everything that is computed; valid, neither taps on padding nor
        masked scores.
    backward
        Explain a training step of your own model: the forward and all gradients.
    """
    output.check()
    target = subject.resolve(model)

    from inspect_cost.counting.options import CountOptions
    from inspect_cost.engine.explaining import explain_subject

    options = CountOptions.of(policy=policy, backward=backward)
    output.write(explain_subject(target, path, options))
    return OK
