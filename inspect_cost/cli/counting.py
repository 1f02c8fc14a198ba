"""The options of counting, and what becomes of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag
from inspect_cost.values.errors import UsageError

if TYPE_CHECKING:
    from inspect_cost.counting.options import CountOptions
    from inspect_cost.values.cost import FlopWeights
    from inspect_cost.values.policy import Policy


@Parameter(name="*")
@dataclass(frozen=True)
class Counting:
    """How to count.

    Attributes:
        policy: What counts of padding and masks: dense, everything that is computed; valid, no
            taps on padding and no masked scores.
        attention: The same for causal attention alone: full or triangular, as --policy has it
            unless given.
        flop_weights: CLASS=N, with commas between: what one operation of a class is taken for in a
            further total, such as special=10,div=4.
        backward: Count a training step of your own model: its forward and all gradients.
        law: Also find the cost as a polynomial in the length.
    """

    policy: Literal["dense", "valid"] = "dense"
    attention: Literal["full", "triangular"] | None = None
    flop_weights: str | None = None
    backward: Annotated[bool, Flag] = False
    law: Annotated[bool, Flag] = False

    @property
    def chosen_policy(self) -> "Policy":
        """Both choices in one."""
        from inspect_cost.values.policy import Policy, named_policy

        named = named_policy(self.policy)
        return Policy(named.taps, self.attention or named.attention)

    @property
    def options(self) -> "CountOptions":
        """Options of the count."""
        from inspect_cost.counting.options import CountOptions

        return CountOptions(policy=self.chosen_policy, backward=self.backward)

    @property
    def weights(self) -> "FlopWeights | None":
        """Of the classes, if any were given.

        Raises:
            UsageError: there is no such class, or no such weight.
        """
        return parsed_weights(self.flop_weights) if self.flop_weights else None


def parsed_weights(text: str) -> "FlopWeights":
    """From special=10,div=4; classes that are not named count as always.

    Raises:
        UsageError: there is no such class, or its weight is no whole number.
    """
    from inspect_cost.values.cost import ARITHMETIC_CLASSES, FlopWeights

    weights: dict[str, int] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if name not in ("mac", *ARITHMETIC_CLASSES) or not weight.isdigit():
            raise UsageError(
                f"--flop-weights: {part.strip()!r} is not CLASS=N",
                f"The classes are mac, {', '.join(ARITHMETIC_CLASSES)}; N is a whole number.",
            )
        weights[name] = int(weight)
    return FlopWeights(**weights)
