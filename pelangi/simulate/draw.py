"""Chance without state: the same seed and names give the same draw, in any order, in any process."""

import hashlib
import random
from typing import TypeVar

T = TypeVar("T")


def stream(seed: int, *names: object) -> random.Random:
    """A random generator of its own for whatever is named."""
    text = "|".join(map(str, (seed, *names)))
    return random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - reproducible on purpose


def happens(share: float, seed: int, *names: object) -> bool:
    """Whether something of this share of 1 happens to what is named."""
    return stream(seed, *names).random() < share


def pick(rng: random.Random, weights: dict[T, float]) -> T:
    """One of the keys, by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]
