"""Nothing is told to who has died, and who asked for the same is told of the visit but never of documents."""

from datetime import date, timedelta
from itertools import permutations
from typing import Any, cast

from pelangi.contracts.codes import ReachChannel, ReachTo, RequesterKind
from pelangi.contracts.snapshots import Address, Also, Contact
from services.notify import delivery, rows
from services.notify.channels import Reject
from services.notify.messages import Drop, Tell, decide
from services.notify.model import Case
from services.notify.rows import in_order
from services.notify.texts import Writer

from .facts import NOW, VISIT_1, closed, completed, contact, created, details, fold, handed_over, issued, scheduled

TODAY = date(2026, 11, 24)
CHANNELS = {"EMAIL", "VIA_KELURAHAN"}
RECEIPT = "ZYXWVTSRQPN"


def all_told(case: Case) -> dict[str, Tell | Drop]:
    """What every message of the case would be now, by its key."""
    return {key: decide(case, row, today=TODAY, channels=CHANNELS) for key, row in in_order(case["messages"])}


def with_also(email: str | None = "second@contoh.invalid") -> Contact:
    also = Also(
        receipt_code=RECEIPT, requester_kind=RequesterKind.TKSK, requester=Address(email=email), channel=ReachChannel.EMAIL
    )
    return contact(kind=RequesterKind.RT_RW).model_copy(update={"also": [also]})


def everything(part: Contact) -> list[Any]:
    return [created(), details(part), scheduled(), completed(), issued(), handed_over(), closed("COMPLETED")]


def test_trap_14_after_a_death_only_the_closing_is_told_and_that_to_the_requester() -> None:
    reached = contact(to=ReachTo.PERSON, kind=RequesterKind.FAMILY)
    case = fold([created(), scheduled(), completed(), issued(), details(reached, status="DECEASED", version=4), closed("OTHER")])
    told = all_told(case)
    assert {said.reason for said in told.values() if isinstance(said, Drop)} == {"DECEASED"}
    assert [(said.purpose, said.audience) for said in told.values() if isinstance(said, Tell)] == [("CLOSED", "REQUESTER")]


def test_trap_14_a_death_known_by_the_snapshot_alone_silences_dates_and_documents() -> None:
    case = fold([created(), scheduled(), issued(), details(status="DECEASED", version=3)])
    assert all(isinstance(said, Drop) and said.reason == "DECEASED" for said in all_told(case).values())


def test_trap_14_of_two_persons_the_living_one_is_told() -> None:
    part = contact(to=ReachTo.PERSON).model_copy(
        update={"persons": [Address(email="gone@contoh.invalid", deceased=True), Address(email="living@contoh.invalid")]}
    )
    said = all_told(fold([created(), details(part), scheduled(), issued()]))
    assert {s.address for s in said.values() if isinstance(s, Tell)} == {"living@contoh.invalid"}


def test_trap_14_a_deceased_person_is_written_to_by_nobody_even_with_an_address_left() -> None:
    gone = [Address(email="gone@contoh.invalid", deceased=True)]
    part = contact(to=ReachTo.PERSON, kind=RequesterKind.FAMILY).model_copy(update={"persons": gone})
    said = all_told(fold([created(), details(part), scheduled(), issued()]))
    assert all(isinstance(s, Drop) and s.reason == "DECEASED" for s in said.values())


def also_self(**changes: Any) -> Contact:
    """Who died had asked for themselves, in a request that was closed as a duplicate."""
    part = with_also()
    own = {"requester_kind": RequesterKind.SELF, "requester": Address(email="gone@contoh.invalid", **changes)}
    return part.model_copy(update={"also": [part.also[0].model_copy(update=own)]})


def test_trap_14_who_asked_for_themselves_in_a_duplicate_is_not_written_to_after_the_death() -> None:
    case = fold([created(), details(also_self(), status="DECEASED", version=4), closed("OTHER")])
    said = [s for key, s in all_told(case).items() if case["messages"][key].get("also")]
    assert said == [Tell("CLOSED", "closed", "ALSO", "VIA_KELURAHAN", "")]
    case = fold([created(), details(also_self(deceased=True)), scheduled()])
    said = [s for key, s in all_told(case).items() if case["messages"][key].get("also")]
    assert said == [Tell("SCHEDULED", "scheduled", "ALSO", "VIA_KELURAHAN", "")]


def test_the_requester_of_a_duplicate_hears_of_visit_and_end_and_never_of_documents() -> None:
    case = fold(everything(with_also()))
    mine = {key: row for key, row in case["messages"].items() if row.get("also")}
    assert {row["purpose"] for row in mine.values()} == {"SCHEDULED", "VISIT_DONE", "CLOSED"}
    assert {row["audience"] for row in mine.values()} == {"ALSO"}
    closing = next(key for key, row in mine.items() if row["purpose"] == "CLOSED")
    said = decide(case, case["messages"][closing], today=TODAY, channels=CHANNELS)
    assert said == Tell("CLOSED", "closed", "ALSO", "EMAIL", "second@contoh.invalid")


def test_its_rows_are_the_same_in_any_order_and_when_the_duplicate_is_joined_late() -> None:
    facts = everything(with_also())
    keys = set(fold(facts)["messages"])
    for order in permutations(facts[1:5]):
        assert set(fold([facts[0], *order, *facts[5:]])["messages"]) == keys
    late = fold([*everything(contact(kind=RequesterKind.RT_RW)), details(with_also(), version=9)])
    assert set(late["messages"]) == keys


def test_a_first_date_is_scheduled_for_each_reader_of_their_own() -> None:
    case = fold([created(), details(with_also()), scheduled()])
    main = next(key for key, row in case["messages"].items() if row["purpose"] == "SCHEDULED" and not row.get("also"))
    told = cast(Case, {**case, "messages": {**case["messages"], main: {**case["messages"][main], "state": rows.SENT}}})
    case = fold([scheduled(revision=2, status="RESCHEDULED")], told)
    newest = [row for row in case["messages"].values() if row.get("revision") == 2]
    said = {row.get("also", ""): decide(case, row, today=TODAY, channels=CHANNELS) for row in newest}
    assert {also: s.purpose for also, s in said.items() if isinstance(s, Tell)} == {"": "CHANGED", RECEIPT: "SCHEDULED"}


def test_without_an_address_the_kelurahan_is_asked_and_the_receipt_is_theirs() -> None:
    case = fold([created(), details(with_also(email=None)), scheduled()])
    row = next(row for row in case["messages"].values() if row.get("also"))
    said = decide(case, row, today=TODAY, channels=CHANNELS)
    assert isinstance(said, Tell) and (said.channel, said.address) == ("VIA_KELURAHAN", "")
    writer = Writer("kelurahan-{village_code}@contoh.invalid", "kantor@contoh.invalid", "http://127.0.0.1/track/")
    mail = writer.write(case, row, said)
    assert "ZYXWV-TSRQP-N" in mail.text
    assert "ABCDE-FGHJK-M" not in mail.text


def test_a_refused_mail_to_them_falls_back_to_the_kelurahan_in_a_row_of_their_own() -> None:
    case = fold([created(), details(with_also()), scheduled()])
    key, row = next((k, r) for k, r in case["messages"].items() if r.get("also"))
    said = decide(case, row, today=TODAY, channels=CHANNELS)
    assert isinstance(said, Tell)
    claimed = delivery.claim(case, key, said, "claim", NOW)
    after = delivery.record(claimed, key, "claim", Reject("550"), NOW)
    fallback = [r for r in after["messages"].values() if r.get("fallback")]
    assert [(r["also"], r["purpose"], r["visit_id"]) for r in fallback] == [(RECEIPT, "SCHEDULED", VISIT_1)]
    tell = decide(after, fallback[0], today=TODAY, channels=CHANNELS)
    assert isinstance(tell, Tell) and tell.audience == "KELURAHAN"


def test_a_reader_whose_mail_is_put_off_keeps_nobody_else_waiting() -> None:
    case = fold([created(), details(with_also()), scheduled()])
    key, row = next((k, r) for k, r in case["messages"].items() if r.get("also"))
    later = NOW + timedelta(hours=4)
    case = cast(Case, {**case, "messages": {**case["messages"], key: cast(rows.Row, {**row, "due": later})}})
    turn = rows.first_open(case["messages"])
    assert turn is not None and not turn[1].get("also")
    done = {k: cast(rows.Row, {**r, "state": rows.SENT}) if not r.get("also") else r for k, r in case["messages"].items()}
    assert rows.first_open(done) == (key, done[key])
