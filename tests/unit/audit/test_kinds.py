"""Every finding is counted in the fault report, under one word."""

from pelangi.audit.checks import CODES
from pelangi.audit.history import Finding
from pelangi.audit.kinds import CODES_OF, by_kind, kind_of


def test_every_finding_code_has_one_kind() -> None:
    named = [code for codes in CODES_OF.values() for code in codes]
    assert sorted(named) == sorted(CODES)


def test_findings_are_counted_by_kind() -> None:
    found = [
        Finding(code, "", "") for code in ("created-missing", "mail-doubled", "mail-missing", "same-id-differs", "not-closed")
    ]
    assert by_kind(found) == {"lost": 2, "doubled": 1, "differing": 1, "stranded": 1}
    assert by_kind([]) == {"lost": 0, "doubled": 0, "differing": 0, "stranded": 0}
    assert kind_of("withdrawal-lost") == "lost"
