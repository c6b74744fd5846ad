"""What the messages say, and what they must not."""

import re
from importlib.resources import files

import pytest

from pelangi.contracts.codes import ClosingOutcome, DocumentKind, ReachChannel, ReachTo, ServiceKind, VulnerabilityCategory
from services.notify.messages import Tell
from services.notify.model import Case
from services.notify.rows import Row, in_order
from services.notify.texts import Mail, Writer, shown

from .facts import closed, contact, details, everything, fold, scheduled, visits

WRITER = Writer("kelurahan-{village_code}@pelangi.invalid", "office@pelangi.invalid", "http://127.0.0.1:8000/track/")
LIMIT, DESK_LIMIT = 800, 1300
PURPOSE_OF = {
    "accepted": "ACCEPTED",
    "needs_info": "ACCEPTED",
    "scheduled": "SCHEDULED",
    "changed": "SCHEDULED",
    "cancelled": "SCHEDULED",
    "visit_done": "VISIT_DONE",
    "ready": "READY",
    "handed_over": "HANDED_OVER",
    "closed": "CLOSED",
}
FORBIDDEN = re.compile(
    r"\b(nik|kk|ktp|kia|akta|kartu|disabilitas|lansia|odgj|gangguan|sakit|panti|lapas|tahanan|napi|miskin|terlantar|bencana|"
    r"korban|hamil|meninggal|wafat|rp|biaya|bayar|disab\w+|elderly|prison\w*|illness|victim|poor|death|died|fee|\d{16})\b",
    re.IGNORECASE,
)


def case_with_everything(to: ReachTo = ReachTo.REQUESTER) -> Case:
    facts = [*everything(), scheduled(revision=3, place="Balai Kelurahan Keramat"), visits(revision=3, sequence=3)]
    return fold([*facts, details(contact(to=to), version=8)])


def write(template: str, case: Case | None = None, *, desk: bool = False) -> Mail:
    case = case or case_with_everything()
    row: Row = next(r for _, r in reversed(in_order(case["messages"])) if r["purpose"] == PURPOSE_OF[template])
    if template in ("scheduled", "changed", "cancelled"):
        row = next(r for r in case["messages"].values() if r.get("revision") == 3)
    address = "" if desk else "requester@contoh.invalid"
    return WRITER.write(case, row, Tell(row["purpose"], template, "REQUESTER", "VIA_KELURAHAN" if desk else "EMAIL", address))


def test_every_template_is_tested() -> None:
    names = {f.name.removesuffix(".txt") for f in (files("services.notify") / "templates").iterdir()}
    assert names == {*PURPOSE_OF, "footer", "via_kelurahan"}


@pytest.mark.parametrize("template", sorted(PURPOSE_OF))
@pytest.mark.parametrize("desk", [False, True])
def test_every_text_is_short_free_and_says_nothing_personal(template: str, desk: bool) -> None:
    mail = write(template, desk=desk)
    assert len(mail.text) <= (DESK_LIMIT if desk else LIMIT)
    assert len(mail.subject) <= 78
    assert mail.text.rstrip().endswith("Layanan ini GRATIS")
    assert "ABCDE-FGHJK-M" in mail.text
    assert "http://127.0.0.1:8000/track/ABCDE-FGHJK-M" in mail.text
    assert FORBIDDEN.search(mail.subject + mail.text.replace("kelurahan", "")) is None
    assert "$" not in mail.subject + mail.text
    assert "{" not in mail.text
    codes = {c.value for kind in (ServiceKind, DocumentKind, VulnerabilityCategory) for c in kind if len(c.value) > 4}
    assert not any(code in mail.text for code in codes)
    assert "Contoh" not in mail.text
    assert "contoh.invalid" not in mail.text


@pytest.mark.parametrize("outcome", [*ClosingOutcome, "UNKNOWN"])
def test_every_ending_has_its_words(outcome: str) -> None:
    case = fold([details(), closed()])
    case["closed"] = outcome
    text = write("closed", case).text
    assert text.startswith("Permohonan layanan keliling: ")
    assert FORBIDDEN.search(text) is None


def test_the_date_is_said_in_both_languages_with_hours_and_an_open_place() -> None:
    text = write("scheduled").text
    assert "Selasa, 1 Desember 2026, pukul 09.00–12.00 WIB di Balai Kelurahan Keramat." in text
    assert "Tuesday, 1 December 2026, 09:00–12:00 local time at Balai Kelurahan Keramat." in text


def test_hours_of_another_revision_are_not_said() -> None:
    case = fold([visits(revision=2, sequence=9)], case_with_everything())
    assert "Selasa, 1 Desember 2026 di" in write("scheduled", case).text


@pytest.mark.parametrize("to", list(ReachTo))
def test_the_desk_is_asked_to_tell_them(to: ReachTo) -> None:
    case = case_with_everything(to)
    row = next(r for r in case["messages"].values() if r["purpose"] == "CLOSED")
    mail = WRITER.write(case, row, Tell("CLOSED", "closed", to.value, "VIA_KELURAHAN", ""))
    words = {"REQUESTER": "pemohon", "PERSON": "orang yang dilayani", "GUARDIAN": "walinya", "COMPANION": "pendampingnya"}
    assert mail.address == "kelurahan-19.71.04.1009@pelangi.invalid"
    assert f"kepada {words[to]} dari permohonan ABCDE-FGHJK-M" in mail.text
    assert mail.subject == "Mohon sampaikan: Permohonan selesai diproses"
    fallback = WRITER.write(case, row, Tell("CLOSED", "closed", "KELURAHAN", "VIA_KELURAHAN", ""))
    assert fallback.text == mail.text


def test_places_outside_the_city_have_no_desk_of_ours() -> None:
    case = fold([details(contact(village_code="19.01.01.2001", channel=ReachChannel.VIA_KELURAHAN)), closed("OUT_OF_AREA")])
    assert write("closed", case, desk=True).address == "office@pelangi.invalid"


def test_receipt_codes_are_shown_in_groups() -> None:
    assert shown("ABCDEFGHJKM") == shown("ABCDE-FGHJK-M") == "ABCDE-FGHJK-M"
