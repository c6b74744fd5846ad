"""Receipt codes survive being read aloud and typed, and a wrong symbol is noticed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.receipt import SYMBOLS, draw_receipt_code, read_receipt_code, shown


def test_a_hundred_thousand_codes_round_trip() -> None:
    rng = random.Random(7)
    for _ in range(100_000):
        code = draw_receipt_code(rng.randrange)
        assert len(code) == 11
        assert set(code) <= set(SYMBOLS), "the check symbol too"
        assert read_receipt_code(shown(code)) == code


def test_symbols_are_crockfords() -> None:
    assert SYMBOLS == "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_a_value_whose_check_would_be_no_symbol_is_drawn_again() -> None:
    values = iter([32, 36, 69, 31])  # 32 % 37 and so on are outside the 32 symbols, but for the last
    assert draw_receipt_code(lambda _: next(values)) == "000000000Z" + "Z"


def test_the_whole_range_is_drawn_from() -> None:
    asked = []
    draw_receipt_code(lambda n: asked.append(n) or 0)  # type: ignore[func-returns-value]
    assert asked == [32**10]


codes = st.randoms(use_true_random=False).map(lambda r: draw_receipt_code(r.randrange))


@given(codes, st.data())
def test_typing_is_forgiven(code: str, data: st.DataObject) -> None:
    spellings = {"0": "0Oo", "1": "1IiLl"}
    typed = "".join(data.draw(st.sampled_from(spellings.get(c, c + c.lower()))) for c in code)
    at = data.draw(st.integers(0, len(typed)))
    typed = typed[:at] + data.draw(st.sampled_from(["", "-", " ", " - ", "--"])) + typed[at:]
    assert read_receipt_code(typed) == code


@given(codes, st.integers(0, 10), st.sampled_from(SYMBOLS))
def test_one_substituted_symbol_is_detected(code: str, at: int, symbol: str) -> None:
    if symbol != code[at]:
        assert read_receipt_code(code[:at] + symbol + code[at + 1 :]) is None


@pytest.mark.parametrize(
    "text", ["", "-", "0" * 10, "0" * 12, "U" * 11, "0000000000*", "0000000000=", "٠" * 11, "ß" * 11, "\0" * 11]
)
def test_what_can_be_no_code(text: str) -> None:
    assert read_receipt_code(text) is None


@given(st.text(max_size=15))
def test_any_text_is_read_or_refused(text: str) -> None:
    code = read_receipt_code(text)
    assert code is None or (len(code) == 11 and read_receipt_code(code) == code)
