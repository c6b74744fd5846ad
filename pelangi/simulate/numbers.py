"""Numbers in the form of DOMAIN.md §2.7 and §3 that belong to nobody: serials from 9000, phones without a network."""

import random
from datetime import date

from pelangi.contracts.codes import Sex


def nik(rng: random.Random, birth: date, sex: Sex) -> str:
    """A well-formed NIK of somebody first registered in this city."""
    day = birth.day + (40 if sex is Sex.P else 0)
    return f"1971{rng.randint(1, 7):02}{day:02}{birth.month:02}{birth.year % 100:02}{rng.randint(9000, 9999)}"


def family_card_number(rng: random.Random, today: date) -> str:
    """A well-formed number of a family card recorded in some year before this one (no + 40 for women)."""
    recorded = date(rng.randint(2012, today.year - 1), rng.randint(1, 12), rng.randint(1, 28))
    return f"1971{rng.randint(1, 7):02}{recorded:%d%m%y}{rng.randint(9000, 9999)}"


def phone(rng: random.Random) -> str:
    """A number in a range that no network uses."""
    return f"+6280000{rng.randint(0, 9_999_999):07}"


def email(rng: random.Random, who: str) -> str:
    """An address in a domain that can never exist (RFC 2606)."""
    return f"{who}{rng.randint(1, 99999)}@{rng.choice(('warga.example.invalid', 'warga.test'))}"
