"""What is odd about the number of a family card: only ever warnings (DOMAIN.md §2.7). Pure."""

import re
from collections.abc import Set
from datetime import date

from services.intake.nik import region_known

FORMAT, REGION, DATE, IS_NIK = "family_card_format", "family_card_region_unknown", "family_card_date", "family_card_is_nik"


def oddities(number: str, today: date, other_niks: Set[str]) -> list[str]:
    """Codes of what is odd; `other_niks`: of the other persons of the same request, a frequent slip."""
    if not re.fullmatch(r"[0-9]{16}", number):
        return [FORMAT]
    found = {REGION: not region_known(number[:6]), DATE: not _recorded_by(number[6:12], today), IS_NIK: number in other_niks}
    return [code for code, is_so in found.items() if is_so]


def _recorded_by(ddmmyy: str, today: date) -> bool:
    """Whether it is a date up to today; a family card has no + 40 for women, and none is older than this century's register."""
    try:
        return date(2000 + int(ddmmyy[4:]), int(ddmmyy[2:4]), int(ddmmyy[:2])) <= today
    except ValueError:
        return False
