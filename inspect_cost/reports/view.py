"""Choices that formats leave to the reader."""

from dataclasses import dataclass

from inspect_cost.values.errors import UsageError


@dataclass(frozen=True)
class View:
    """How a result is shown, where its format leaves a choice.

    Attributes:
        depth: levels of the module tree below the model, from 0.
        exact: whole numbers in the tree instead of SI prefixes.
        width: characters in a line.
        color: whether escape sequences for colour may be used.

    Raises:
        UsageError: the depth is negative.
    """

    depth: int = 2
    exact: bool = False
    width: int = 100
    color: bool = False

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise UsageError(f"`depth` is {self.depth}", "Give 0 or more.", field="depth")
