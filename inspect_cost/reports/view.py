"""Choices that formats leave to the reader."""

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """How a result is shown, where its format leaves a choice.

    Attributes:
        depth: levels of the module tree below the model.
        exact: whole numbers in the tree instead of SI prefixes.
        width: characters in a line.
        color: whether escape sequences for colour may be used.
    """

    depth: int = 2
    exact: bool = False
    width: int = 100
    color: bool = False
