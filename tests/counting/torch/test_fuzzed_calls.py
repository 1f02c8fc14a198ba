"""Random mistakes in calls: the count refuses those that torch refuses, and gives its shapes."""

import random
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.counting.torch.refused_calls import (
    ACCEPTED,
    Args,
    Place,
    change_tensor,
    find_tensors,
    replace,
)
from tests.counting.torch.test_refused import FUSED, UNCHECKED_BY_TORCH, run_by_count, run_by_torch

MISTAKES = 8

#: Torch takes some mixtures of types in some sizes only, such as no batch and no entries.
MIXED_BY_ACCIDENT = ("aten.conv", "aten.mm", "aten.linear")

#: Other values of integers among arguments: dimensions, groups, strides, paddings.
INTEGERS = (-3, -2, -1, 0, 1, 2, 3)


def make_mistake(accepted: Args, rng: random.Random) -> tuple[str, Args]:
    """Change one or two arguments of a call at random."""
    call, changes = accepted, []
    for _ in range(rng.choice((1, 2, 2))):
        tensors, integers = list(find_tensors(call)), list(_find_integers(call))
        if integers and rng.random() < 0.5:
            place, value = rng.choice(integers)
            new = rng.choice(INTEGERS)
            change: tuple[str, Any] = (f"{value} -> {new}", new)
        elif tensors:
            place, tensor = rng.choice(tensors)
            change = rng.choice(list(change_tensor(tensor)))
        else:
            break
        changes.append(f"{place}: {change[0]}")
        call = replace(call, place, change[1])
    return ", ".join(changes), call


def _find_integers(call: Args) -> Iterator[tuple[Place, int]]:
    """Yield the places of integers among positional arguments, and in lists among them."""
    for key, value in enumerate(call.args):
        if type(value) is int:
            yield (key,), value
        elif isinstance(value, list):
            yield from (((key, n), x) for n, x in enumerate(value) if type(x) is int)


def find_mismatches(key: str, seed: int, mistakes: int = MISTAKES) -> Iterator[str]:
    """Yield random calls of one operator that torch and the count do not answer alike."""
    rng = random.Random(f"{key} {seed}")  # noqa: S311 - nothing is kept secret
    for n, accepted in enumerate(ACCEPTED[key]):
        for _ in range(mistakes):
            changes, call = make_mistake(accepted, rng)
            counted = run_by_count(key, call)
            if counted is None and key in UNCHECKED_BY_TORCH:
                continue
            if counted is None and key.startswith(MIXED_BY_ACCIDENT) and "torch." in changes:
                continue
            real = run_by_torch(key, call)
            if real != counted:
                yield f"call {n}, {changes}: {real} by torch, {counted} by the count"


@pytest.mark.parametrize("key", [key for key in ACCEPTED if key != FUSED])
def test_random_mistakes(key: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not list(find_mismatches(key, 0))
