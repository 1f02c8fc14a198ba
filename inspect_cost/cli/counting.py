"""The options that say how to count."""

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
class CountingOptions:
    """How to count.

    Attributes:
        policy: What to count: dense, everything that is computed; valid, neither taps on padding
            nor masked scores.
        attention: What to count of causal attention: full or triangular; follows --policy unless
            given.
        flop_weights: Add a total of FLOPs weighted by class: CLASS=N, separated by commas, such as
            special=10,div=4.
        backward: Count a training step of your own model: the forward and all gradients.
        optimizer: Also count the step of an optimizer after --backward: adamw, adafactor, muon,
            sgd, sgd-momentum ...
        law: Also find the cost as a polynomial in the length.
    """

    policy: Literal["dense", "valid"] = "dense"
    attention: Literal["full", "triangular"] | None = None
    flop_weights: str | None = None
    backward: Annotated[bool, Flag] = False
    optimizer: str | None = None
    law: Annotated[bool, Flag] = False

    @property
    def chosen_policy(self) -> "Policy":
        """The policy, with its choice on attention replaced by --attention."""
        from inspect_cost.values.policy import Policy, named_policy

        named = named_policy(self.policy)
        return Policy(named.taps, self.attention or named.attention)

    @property
    def options(self) -> "CountOptions":
        """How calls are counted.

        Raises:
            UsageError: there is no such optimizer, or it has no gradients.
        """
        from inspect_cost.counting.options import CountOptions

        return CountOptions.of(
            policy=self.chosen_policy, backward=self.backward, optimizer=self.optimizer
        )

    @property
    def weights(self) -> "FlopWeights | None":
        """Weights of the classes of FLOPs; None unless given.

        Raises:
            UsageError: there is no such class, or a weight is not a whole number.
        """
        return parse_flop_weights(self.flop_weights) if self.flop_weights else None


def parse_flop_weights(text: str) -> "FlopWeights":
    """Parse special=10,div=4; classes that are not named keep their weights.

    Raises:
        UsageError: there is no such class, or its weight is not a whole number.
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
