"""Whether arithmetic that padding and masks make pointless is counted."""

from dataclasses import dataclass
from typing import Literal, get_args

Taps = Literal["dense", "valid"]
Attention = Literal["full", "triangular"]


@dataclass(frozen=True)
class Policy:
    """Which taps and which scores count.

    Attributes:
        taps: of convolutions. "dense": all of every computed output; "valid": those that do not
            fall on padding (of transposed ones: those that are not cropped).
        attention: "full": every score; "triangular": those that the causal mask, or a mask of
            booleans whose values are known, leaves.

    Raises:
        ValueError: there is no such choice.
    """

    taps: Taps = "dense"
    attention: Attention = "full"

    def __post_init__(self) -> None:
        for value, choices in ((self.taps, get_args(Taps)), (self.attention, get_args(Attention))):
            if value not in choices:
                raise ValueError(f"{value!r} is neither {' nor '.join(map(repr, choices))}")

    def __str__(self) -> str:
        for name, policy in NAMED.items():
            if self == policy:
                return name
        return f"{self.taps} taps, {self.attention} attention"


#: The default, which counts everything, and the one that leaves out all that is pointless.
NAMED = {"dense": Policy(), "valid": Policy("valid", "triangular")}
DENSE = NAMED["dense"]


def named_policy(policy: Policy | str) -> Policy:
    """Return a policy, by its name if it is not one already.

    Raises:
        ValueError: no policy has that name.
    """
    if isinstance(policy, Policy):
        return policy
    if policy not in NAMED:
        raise ValueError(f"no policy is called {policy!r}; there are {' and '.join(NAMED)}")
    return NAMED[policy]
