"""Fourteen people and places of the programme, from the request to its lawful end, through HTTP and topics; then the checker."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from pelangi.audit.audit import audit
from pelangi.audit.options import AuditOptions
from pelangi.contracts import topics
from pelangi.local.private import PrivateStack
from pelangi.simulate.api import Api
from pelangi.simulate.options import SimulateOptions
from pelangi.simulate.submitting import submitter
from tests.support.actors import Actors, eventually
from tests.support.bodies import KERAMAT, body

Json = dict[str, Any]
GABEK = "19.71.06.1003"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    with PrivateStack(tmp_path_factory.mktemp("stories")) as running:
        yield running


@pytest.fixture(scope="module")
def actors(stack: PrivateStack) -> Iterator[Actors]:
    found = Actors(stack)
    yield found
    found.close()


def person(*services: str, born: date | None = None, **more: Any) -> Json:
    birth = {"birth_date": born.isoformat(), "birth_date_precision": "EXACT"} if born else {}
    return {"name": "Orang Contoh", "services": list(services), **birth, **more}


def home(*people: Json, **changes: Any) -> Json:
    return body(persons=list(people), **changes)


def item(answer: Json, service: str) -> Json:
    return next(i for i in answer["items"] if i["service_kind"] == service)


def missing(answer: Json, service: str) -> set[str]:
    return {m["code"] for m in item(answer, service)["missing"]}


def years_ago(years: int, today: date, days: int = 0) -> date:
    return date(today.year - years, today.month, min(today.day, 28)) + timedelta(days=days)


TODAY = datetime.now().astimezone().date()


def test_01_a_bedridden_elder_without_a_phone(actors: Actors) -> None:
    elder = person("KTP_RECORDING", "KK_CHANGE", born=date(1941, 3, 5), categories=["ELDERLY"], needs=["BEDRIDDEN"])
    elder["nik_absence_reason"] = "NEVER_REGISTERED"
    filed = actors.file(home(elder, requester={"kind": "RT_RW", "name": "Ketua RT"}))
    assert {"NIK", "CONTACT"} <= missing(filed.answer, "KTP_RECORDING")
    visit = actors.go(filed.request_id)
    start, end = (datetime.fromisoformat(visit["window"][edge]) for edge in ("start", "end"))
    assert end - start >= timedelta(minutes=3 * (10 + 10))  # three times as long for who is slow to serve
    actors.serve(filed.request_id)
    actors.status(filed.request_id, "COMPLETED")
    for purpose in ("ACCEPTED", "SCHEDULED", "VISIT_DONE", "CLOSED"):
        assert actors.told(filed.request_id, purpose)["channel"] == "VIA_KELURAHAN"
    scheduled = actors.event(filed.request_id, topics.VISIT_SCHEDULED)
    assert (scheduled["area_code"], scheduled["window"], scheduled["place"]) == ("19.71", None, None)


def test_02_a_person_with_a_mental_disorder_whose_companion_is_absent_the_first_time(actors: Actors) -> None:
    restless = person("KTP_RECORDING", categories=["MENTAL_DISORDER"], needs=["RESTLESS", "COMPANION_REQUIRED"])
    filed = actors.file(home(restless, companion={"kind": "TKSK", "name": "Ibu Pendamping", "phone": "081200000001"}))
    first = actors.go(filed.request_id, fails="COMPANION_ABSENT")
    failed = actors.event(filed.request_id, topics.VISIT_COMPLETED, outcome="FAILED")
    assert failed["items"][0]["reason_class"] == "THIRD_PARTY"
    second = actors.go(filed.request_id)
    assert second["visit_id"] != first["visit_id"]
    actors.status(filed.request_id, "COMPLETED")
    assert actors.told(filed.request_id, "VISIT_DONE")["visit_id"] == second["visit_id"]
    assert actors.told(filed.request_id, "CHANGED")["visit_id"] == second["visit_id"]


def test_03_an_orphanage_of_forty(actors: Actors) -> None:
    born = years_ago(9, TODAY)
    head = {"name": "Kepala Panti", "relation": "INSTITUTION_HEAD", "phone": "081200000002"}
    children = [person("KIA", "BIRTH_CERT", born=born, guardian=head, categories=["NEGLECTED_CHILD"]) for _ in range(40)]
    place = {"visit_kind": "INSTITUTION", "village_code": KERAMAT, "address": "Panti Contoh"}
    filed = actors.file(body(channel="LETTER", requester={"kind": "CARE_HOME"}, persons=children, place=place))
    assert len(filed.answer["items"]) == 80
    dates = []
    for _ in range(8):  # more than a day's work: visit after visit until all were seen
        dates.append(actors.go(filed.request_id)["date"])
        ahead = eventually(lambda: _settled(actors, filed.request_id), "the rest to be planned or done")
        if ahead == "done":
            break
    assert len(dates) > 1
    actors.serve(filed.request_id)
    actors.status(filed.request_id, "COMPLETED")
    created = actors.event(filed.request_id, topics.REQUEST_CREATED)
    assert (created["requester_kind"], created["persons_count"], created["area_code"]) == ("INSTITUTION", 40, "19.71")


def _settled(actors: Actors, request_id: str) -> str:
    planned = actors.planned(request_id)
    done = {i["item_id"] for v in planned["visits"] for i in v["items"] if i["outcome"] == "DONE"}
    if len(done) == len(actors.request(request_id)["items"]):
        return "done"
    return "ahead" if any(v["status"] == "PLANNED" for v in planned["visits"]) else ""


def test_04_a_prison_list_half_without_nik(actors: Actors) -> None:
    known = [person("KTP_RECORDING", born=date(1985, 8, 17), sex="P", nik=f"197104570885900{n}") for n in range(1, 6)]
    unknown = [person("KTP_RECORDING", nik_absence_reason="LOST_AND_UNKNOWN", categories=["INMATE"]) for _ in range(5)]
    place = {"visit_kind": "INSTITUTION", "village_code": GABEK, "address": "Lapas Contoh"}
    filed = actors.file(body(channel="LETTER", requester={"kind": "PRISON"}, persons=known + unknown, place=place))
    without = [i for i in filed.answer["items"] if any(m["code"] == "NIK" for m in i["missing"])]
    assert len(without) == 5
    released = [i["item_id"] for i in filed.answer["items"][:2]]
    actors.go(filed.request_id, dict.fromkeys(released, "PERSON_RELEASED_OR_MOVED"))
    assert actors.review(filed.request_id)["review_reason"] == "NEEDS_DESK"
    for item_id in released:
        answer = actors.post(
            "issuance", f"/v1/items/{item_id}/transitions", {"to": "WITHDRAWN", "reason": "PERSON_RELEASED_OR_MOVED"}
        )
        assert answer.status_code == 200, answer.text
    actors.status(filed.request_id, "PARTIAL")
    assert actors.event(filed.request_id, topics.REQUEST_CREATED)["requester_kind"] == "INSTITUTION"


def test_05_a_foundling(actors: Actors) -> None:
    head = {"name": "Kepala Panti", "relation": "INSTITUTION_HEAD"}
    child = person("BIODATA_REGISTRATION", "BIRTH_CERT", nik_absence_reason="FOUNDLING", guardian=head)
    child |= {
        "birth_date": years_ago(1, TODAY).isoformat(),
        "birth_date_precision": "ESTIMATED",
        "categories": ["NEGLECTED_CHILD"],
    }
    filed = actors.file(home(child, requester={"kind": "CARE_HOME"}))
    assert "POLICE_REPORT_FOUNDLING" in missing(filed.answer, "BIRTH_CERT")
    actors.go(filed.request_id)
    actors.serve(filed.request_id)
    actors.status(filed.request_id, "COMPLETED")
    kinds = {e["document_kind"] for e in actors.events(filed.request_id, topics.DOCUMENT_ISSUED)}
    assert kinds == {"BIODATA", "BIRTH_CERT"}


def test_06_a_pupil_who_turns_17_next_month(actors: Actors) -> None:
    birthday = TODAY + timedelta(days=30)
    born = date(birthday.year - 17, birthday.month, birthday.day)
    pupil = person("KTP_RECORDING", "KTP_NEW", born=born, ever_married=False, categories=["FIRST_TIME_CARD_HOLDER"])
    filed = actors.file(home(pupil, requester={"kind": "SCHOOL"}))
    assert "under_17_card_later" in {w["code"] for w in filed.answer["warnings"]}
    recording = actors.go(filed.request_id)
    assert [i["service_kind"] for i in recording["items"]] == ["KTP_RECORDING"]
    assert date.fromisoformat(recording["date"]) < birthday
    card = actors.visit(filed.request_id)
    assert [i["service_kind"] for i in card["items"]] == ["KTP_NEW"]
    assert date.fromisoformat(card["date"]) >= birthday
    assert actors.request(filed.request_id)["status"] not in ("COMPLETED", "PARTIAL")
    actors.go(filed.request_id)
    actors.serve(filed.request_id)
    actors.status(filed.request_id, "COMPLETED")


def test_07_a_death_before_the_visit(actors: Actors) -> None:
    filed = actors.file(home(person("KTP_NEW", "KK_CHANGE"), requester={"kind": "FAMILY", "email": "keluarga@warga.test"}))
    visit = actors.visit(filed.request_id)
    answer = actors.say(filed.request_id, "deceased", {"person_ref": "1", "date": TODAY.isoformat()})
    assert (answer["status"], answer["offer"]) == ("DECEASED", ["DEATH_CERT"])
    assert actors.event(filed.request_id, topics.REQUEST_CLOSED)["outcome"] == "OTHER"
    cancelled = actors.event(filed.request_id, topics.VISIT_SCHEDULED, status="CANCELLED")
    assert cancelled["visit_id"] == visit["visit_id"]
    assert actors.told(filed.request_id, "CLOSED")["audience"] == "REQUESTER"
    # the case is cancelled first and announced, its place in the day is freed a moment later
    path = f"/v1/visits/{visit['visit_id']}"
    eventually(lambda: actors.get("scheduling", path).json().get("status") in (404, "CANCELLED"), "the day without the visit")
    assert actors.post("scheduling", f"{path}/depart", {}).status_code in (404, 409)
    assert actors.events(filed.request_id, topics.DOCUMENT_ISSUED) == []


def test_08_a_wrong_address(actors: Actors) -> None:
    plain = home(person("KTP_RECORDING"))
    filed = actors.file(plain)
    first = actors.go(filed.request_id, fails="ADDRESS_NOT_FOUND")
    assert actors.review(filed.request_id)["review_reason"] == "NEEDS_DESK"
    assert all(v["status"] == "FAILED" for v in actors.planned(filed.request_id)["visits"])
    place = {**plain["place"], "address": "Jalan Contoh 11", "landmark": "belakang mushola"}
    actors.say(filed.request_id, "details", {**plain, "place": place})
    second = actors.go(filed.request_id)
    assert second["visit_id"] != first["visit_id"]
    actors.status(filed.request_id, "COMPLETED")


def test_09_two_kelurahan_report_the_same_person(actors: Actors) -> None:
    same = person("KTP_RECORDING", born=date(1985, 8, 17), sex="P", nik="1971045708859099", mother_name="Ibu Contoh")
    first = actors.file(home(same, requester={"kind": "KELURAHAN", "email": "satu@warga.test"}))
    elsewhere = {"visit_kind": "HOME", "village_code": GABEK, "address": "Jalan Lain 2"}
    reach = {"channel": "EMAIL", "to": "REQUESTER"}
    second = actors.file(home(same, requester={"kind": "TKSK", "email": "dua@warga.test"}, place=elsewhere, reach=reach))

    def suggested() -> bool:
        found = actors.get("intake", f"/v1/requests/{second.request_id}/possible-duplicates").json()["requests"]
        return any(r["request_id"] == first.request_id and "NIK" in r["why"] for r in found)

    eventually(suggested, "the first request to be suggested")
    assert actors.request(second.request_id)["status"] != "DUPLICATE"  # suggested, never merged by itself
    assert actors.say(second.request_id, "duplicate-of", {"request_id": first.request_id})["status"] == "DUPLICATE"
    actors.go(first.request_id)
    done = actors.status(first.request_id, "COMPLETED")
    receipt = second.answer["receipt_code"]
    eventually(lambda: actors.get("intake", f"/v1/tracking/{receipt}").json()["status"] == done["status"], "the same tracking")
    actors.told(first.request_id, "CLOSED", reader=0)
    actors.told(first.request_id, "CLOSED", reader=1)
    assert actors.event(second.request_id, topics.REQUEST_CLOSED)["outcome"] == "DUPLICATE"


def test_10_blank_cards_have_run_out(actors: Actors) -> None:
    def on_hand() -> int:
        blanks = actors.get("issuance", "/v1/blanks").json()["blanks"]
        return int(next(b["on_hand"] for b in blanks if b["kind"] == "KTP"))

    stock = on_hand()
    assert actors.post("issuance", "/v1/blanks", {"kind": "KTP", "change": "RETURNED", "count": stock}).is_success
    filed = actors.file(home(person("KTP_RECORDING", "KTP_REISSUE", born=date(1960, 1, 1))))
    actors.go(filed.request_id)  # planned and recorded all the same
    eventually(lambda: actors.documents(filed.request_id), "the card's document")
    card = next(i for i in actors.items(filed.request_id) if i["service_kind"] == "KTP_REISSUE")
    assert card["card_promised"] is False
    document = actors.drive(card["documents"][0], until="PRINT_READY")
    refused = actors.move(document, "PRINTED")
    assert (refused.status_code, refused.json()["title"]) == (409, "no_blank")
    assert actors.post(
        "issuance", f"/v1/documents/{document['document_id']}/transitions", {"to": "ON_HOLD", "reason": "NO_BLANK"}
    ).is_success
    assert actors.post("issuance", "/v1/blanks", {"kind": "KTP", "change": "RECEIVED", "count": max(stock, 1)}).is_success
    actors.drive({**document, "status": "ON_HOLD"})
    actors.status(filed.request_id, "COMPLETED")
    assert on_hand() == max(stock, 1) - 1


def test_11_biometric_failure_and_a_second_try(actors: Actors) -> None:
    filed = actors.file(home(person("KTP_RECORDING", "KK_CHANGE", born=date(1950, 1, 1))))
    recording = item(filed.answer, "KTP_RECORDING")["item_id"]
    actors.go(filed.request_id, {recording: "BIOMETRIC_FAILED"})
    second = actors.visit(filed.request_id)
    assert [i["item_id"] for i in second["items"]] == [recording]  # the family card is not asked for again
    family_card = eventually(lambda: actors.documents(filed.request_id), "the family card")[0]
    eventually(lambda: actors.move(family_card, "DATA_ENTERED").is_success, "the family card to proceed meanwhile")
    actors.go(filed.request_id)
    actors.drive({**family_card, "status": "DATA_ENTERED"})
    actors.status(filed.request_id, "COMPLETED")
    partial = actors.event(filed.request_id, topics.VISIT_COMPLETED, outcome="PARTIAL")
    assert {i["outcome"] for i in partial["items"]} == {"DONE", "DEFERRED"}


def test_12_a_correction_after_issue(actors: Actors) -> None:
    filed = actors.file(home(person("KK_REISSUE")))
    actors.go(filed.request_id)
    first = eventually(lambda: actors.documents(filed.request_id), "the document")[0]
    first = actors.drive(first, until="SIGNED")
    assert actors.move(first, "SUPERSEDED", reason="TYPING_ERROR").is_success
    withdrawn = actors.event(filed.request_id, topics.DOCUMENT_WITHDRAWN, document_id=first["document_id"])
    second = next(d for d in actors.documents(filed.request_id) if d["edition"] == 2)
    assert (withdrawn["reason"], withdrawn["replaced_by"]) == ("SUPERSEDED", second["document_id"])
    assert actors.move(first, "HANDED_OVER").status_code == 409
    actors.drive(second)
    actors.status(filed.request_id, "COMPLETED")
    assert actors.event(filed.request_id, topics.DOCUMENT_ISSUED, edition=2)["document_id"] == second["document_id"]


def test_13_revoked_after_closing(actors: Actors) -> None:
    filed = actors.file(home(person("BIRTH_CERT", born=date(1980, 1, 1))))
    actors.go(filed.request_id)
    actors.serve(filed.request_id)
    actors.status(filed.request_id, "COMPLETED")
    document = actors.documents(filed.request_id)[0]
    assert actors.move(document, "REVOKED", reason="FALSE_STATEMENT").is_success
    withdrawn = actors.event(filed.request_id, topics.DOCUMENT_WITHDRAWN, document_id=document["document_id"])
    assert (withdrawn["reason"], withdrawn["replaced_by"]) == ("REVOKED", None)
    assert actors.request(filed.request_id)["status"] == "COMPLETED"
    assert len(actors.events(filed.request_id, topics.REQUEST_CLOSED)) == 1
    assert actors.move(document, "HANDED_OVER").status_code == 409


async def test_14_submitted_over_kafka_by_another_system(actors: Actors, stack: PrivateStack) -> None:
    key = "6a0b8d70-0000-4000-8000-00000000000e"
    plain = home(person("CONSULTATION"), channel="API", requester={"kind": "OTHER_CITY_SERVICE"})
    options = SimulateOptions(intake_url=stack.url("intake"), kafka_bootstrap=stack.bootstrap)
    async with httpx.AsyncClient(trust_env=False) as client, submitter(Api(client, "stories", 30), options) as other_system:
        refused = await other_system.submit(key, {**plain, "channel": "SMOKE_SIGNAL"})
        accepted = await other_system.submit(key, plain)
        again = await other_system.submit(key, plain)
    assert (refused["outcome"], refused["request_id"]) == ("REFUSED", None)
    assert [p["pointer"] for p in refused["problems"]] == ["#/channel"]
    assert accepted["outcome"] == again["outcome"] == "ACCEPTED"
    assert accepted["request_id"] == again["request_id"]
    actors.go(accepted["request_id"])
    actors.status(accepted["request_id"], "COMPLETED")
    assert actors.event(accepted["request_id"], topics.REQUEST_CREATED)["channel"] == "API"


async def test_the_checker_finds_nothing_after_all_of_them(stack: PrivateStack) -> None:
    options = AuditOptions(
        intake_url=stack.url("intake"),
        scheduling_url=stack.url("scheduling"),
        issuance_url=stack.url("issuance"),
        notify_url=stack.url("notify"),
        mailbox_url=stack.url("mailbox"),
        kafka_bootstrap=stack.bootstrap,
        settle_s=60,
    )
    report = await audit(options, None)
    assert report.ok, [(f.code, f.request_id, f.detail) for f in report.findings]
    assert report.requests == 15
