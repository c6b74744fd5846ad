"""What a run came to: how often each fault struck and how each call was answered, so that no rule is toothless unseen."""

from collections import Counter
from fnmatch import fnmatchcase

TALLY: Counter[str] = Counter()
"""Of all examples since it was last cleared."""


def missing(wanted: dict[str, int]) -> list[str]:
    """What was seen less often than wanted; a name may be a pattern."""
    seen = {name: sum(n for known, n in TALLY.items() if fnmatchcase(known, name)) for name in wanted}
    return [f"{name}: {seen[name]} of {least}" for name, least in wanted.items() if seen[name] < least]


def table() -> str:
    """One line for each."""
    return "\n".join(f"{count:7} {name}" for name, count in sorted(TALLY.items()))
