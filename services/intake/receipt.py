"""Receipt codes: random, short enough to be read aloud, forgiving to type (CONTRACTS.md §4).

10 symbols of Crockford's base32 and his check symbol (value mod 37), redrawn until the check is one of the 32 symbols.
"""

from collections.abc import Callable

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FORGIVEN = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_LENGTH = 10


def draw_receipt_code(random_below: Callable[[int], int]) -> str:
    """A fresh code without hyphens. `random_below(n)` gives a random number in [0, n)."""
    while True:
        value = random_below(32**_LENGTH)
        check = value % 37
        if check < 32:
            return _symbols(value) + SYMBOLS[check]


def shown(code: str) -> str:
    """The code as people see it: `ABCDE-FGHJK-M`."""
    return f"{code[:5]}-{code[5:10]}-{code[10:]}"


def read_receipt_code(text: str) -> str | None:
    """The code a person meant, without hyphens; None where it can be none (wrong length, symbol or check)."""
    code = text.upper().translate(_FORGIVEN)
    if len(code) != _LENGTH + 1 or any(symbol not in SYMBOLS for symbol in code):
        return None
    value = 0
    for symbol in code[:_LENGTH]:
        value = value * 32 + SYMBOLS.index(symbol)
    return code if value % 37 == SYMBOLS.index(code[-1]) else None


def _symbols(value: int) -> str:
    symbols = ""
    for _ in range(_LENGTH):
        value, digit = divmod(value, 32)
        symbols = SYMBOLS[digit] + symbols
    return symbols
