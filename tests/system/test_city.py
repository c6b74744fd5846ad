"""The main job, end to end: all processes, real Kafka, the synthetic city, the checker."""

import asyncio
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pymongo import MongoClient

from pelangi.audit.audit import audit
from pelangi.local.database import Database
from pelangi.local.private import PrivateStack
from tests.support.auditing import audit_options
from tests.support.city import SERVICES, simulate, wait_for

REQUESTS = 40
EXAMPLE = Path(__file__).parents[2] / "examples" / "subscriber_python"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivateStack, int, str]]:
    """A stack in which forty requests were simulated and checked."""
    with PrivateStack(tmp_path_factory.mktemp("city")) as stack:
        code, output = simulate(stack, "--requests", str(REQUESTS), "--seed", "7", "--check")
        yield stack, code, output


def test_every_request_reaches_its_lawful_end(city: tuple[PrivateStack, int, str]) -> None:
    _, code, output = city
    assert code == 0, output
    assert f"{REQUESTS} accepted" in output
    assert "nothing lost, doubled, differing or stranded" in output
    assert re.search(r"also \d{3,} restricted records, \d{3,} stored cases", output), output
    assert "not read" not in output


def test_a_strangers_state_equals_what_http_says(city: tuple[PrivateStack, int, str], tmp_path: Path) -> None:
    stack, _, _ = city
    folder = shutil.copytree(EXAMPLE, tmp_path / "subscriber")
    argv = [sys.executable, "subscriber.py", "--bootstrap", stack.bootstrap, "--once", "--state", str(tmp_path / "state.json")]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=120, env={**os.environ, "PYTHONPATH": ""})
    state = json.loads((tmp_path / "state.json").read_text())
    view = runpy.run_path(str(folder / "fold.py"))["view"]
    folded = {request_id: view(known) for request_id, known in state.items()}
    listed: dict[str, str] = {}
    path = "/v1/requests"
    while path:
        answer = httpx.get(stack.url("intake") + path)
        listed |= {row["request_id"]: row["status"] for row in answer.json()["requests"]}
        path = answer.links.get("next", {}).get("url", "")
    assert len(listed) == REQUESTS
    assert folded.keys() == listed.keys()
    for request_id, status in listed.items():
        seen = folded[request_id]
        outcome = "OTHER" if status in ("DECEASED", "CLOSED_NO_CONTACT") else status  # all that the public is told
        assert seen["status"] == ("OPEN" if status == "NEEDS_INFO" else f"CLOSED {outcome}"), request_id
        if status not in ("NEEDS_INFO", "OUT_OF_AREA"):
            items = httpx.get(f"{stack.url('issuance')}/v1/requests/{request_id}/documents").json()["items"]
            assert seen["items"] == {i["item_id"]: i["status"] for i in items if i["status"] not in ("OPEN", "ENDED")}


# the metrics the issue names, and the services that must show them
EVERYWHERE = (
    "pelangi_records_total",
    "pelangi_batch_records_count",
    "pelangi_offset_commits_total",
    "pelangi_rebalances_total",
    "pelangi_event_age_seconds_count",
    "pelangi_http_request_seconds_count",
    "pelangi_database_commands_total",
    "pelangi_leader",
)


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_have_moved(city: tuple[PrivateStack, int, str], service: str) -> None:
    stack, _, _ = city
    text = httpx.get(stack.url(service) + "/metrics").text
    values = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            values[name.partition("{")[0]] = values.get(name.partition("{")[0], 0.0) + float(value)
    still = [name for name in EVERYWHERE if not values.get(name)]
    assert not still
    assert "pelangi_consumer_lag_records" in values
    assert "pelangi_outbox_oldest_age_seconds" in values
    if service != "notify":
        assert values["pelangi_events_sent_total"] > 0


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_documents_itself_offline(city: tuple[PrivateStack, int, str], service: str) -> None:
    stack, _, _ = city
    base = stack.url(service)
    assert httpx.get(base + "/openapi.json").json()["openapi"].startswith("3.1")
    page = httpx.get(base + "/docs").text
    assert "http://" not in page and "https://" not in page
    assert httpx.get(base + "/asyncapi.json").json()["asyncapi"].startswith("3.")
    assert httpx.get(base + "/healthz/live").status_code == 200


def test_nothing_personal_in_the_logs(city: tuple[PrivateStack, int, str]) -> None:
    """Names, phones, NIKs and addresses of the synthetic people appear in no log line."""
    stack, _, _ = city
    seen = set()
    for request_id in _request_ids(stack)[:REQUESTS]:
        body = httpx.get(f"{stack.url('intake')}/v1/requests/{request_id}").json()
        people = [body["requester"], *body["persons"]]
        seen |= {p[k] for p in people for k in ("name", "phone", "email", "nik") if p.get(k)}
        seen |= {v for v in (body["place"].get("address"), body.get("receipt_code")) if v}
    assert len(seen) > REQUESTS
    for log in (stack.folder / "log").glob("*.log"):
        text = log.read_text(errors="replace")
        assert [value for value in seen if value in text] == [], log.name


def _request_ids(stack: PrivateStack) -> list[str]:
    return [row["request_id"] for row in httpx.get(stack.url("intake") + "/v1/requests").json()["requests"]]


def test_the_longest_list_reaches_every_service(city: tuple[PrivateStack, int, str]) -> None:
    """100 persons with 3 services each: the largest snapshot that a lawful request makes is read by all."""
    stack, _, _ = city
    persons = [{"name": f"Orang {at}", "services": ["KK_CHANGE", "KTP_RECORDING", "CONSULTATION"]} for at in range(100)]
    place = {"visit_kind": "INSTITUTION", "village_code": "19.71.04.1009", "address": "Panti Uji"}
    body = {"channel": "LETTER", "requester": {"kind": "CARE_HOME"}, "persons": persons, "place": place}
    filed = httpx.post(stack.url("intake") + "/v1/requests", json=body, headers={"Idempotency-Key": str(uuid4())})
    assert filed.status_code == 201, filed.text
    request_id = filed.json()["request_id"]

    def items(program: str, path: str) -> int | None:
        answer = httpx.get(f"{stack.url(program)}/v1/{path}")
        return answer.json()["details_version"] and len(answer.json().get("items", [])) if answer.status_code == 200 else None

    wait_for(lambda: items("issuance", f"requests/{request_id}/documents") == 300, 30, "issuance to know 300 items")
    wait_for(lambda: items("notify", f"messages?request_id={request_id}") is not None, 30, "notify to know whom to tell")
    wait_for(lambda: 0 < _visited_items(stack, request_id) < 300, 60, "a first visit, of as many as a day holds")


def _visited_items(stack: PrivateStack, request_id: str) -> int:
    answer = httpx.get(f"{stack.url('scheduling')}/v1/requests/{request_id}")
    return sum(len(visit["items"]) for visit in answer.json()["visits"]) if answer.status_code == 200 else 0


def test_the_checker_finds_what_was_done_to_a_store(city: tuple[PrivateStack, int, str]) -> None:
    """One look at a city in whose stores somebody lost, doubled and misplaced things behind the services' backs."""
    stack, _, _ = city
    database = Database(stack.folder, stack.ports["database"])
    with MongoClient[dict[str, Any]](database.admin_uri, uuidRepresentation="standard") as client:
        expected = _sabotaged(client)
    findings = asyncio.run(audit(audit_options(stack, settle_s=0))).findings
    found = {(finding.code, finding.request_id) for finding in findings}
    assert expected - found == set(), sorted(found)


def _sabotaged(client: MongoClient[dict[str, Any]]) -> set[tuple[str, str]]:
    """What was done, as the findings that it must lead to."""
    closed = [case["_id"] for case in client["intake"]["cases"].find({"status": "COMPLETED"}, {"_id": 1}).limit(6)]
    lost, overtaken, forgotten, crowded, told, unsent = closed
    stores = {name: client[name]["cases"] for name in SERVICES}
    # an event was taken out of the outbox before it was sent: the item is closed, and nobody was told
    stores["issuance"].update_one({"_id": lost}, {"$set": {f"closed.{uuid4()}": "DONE"}, "$inc": {"version": 1}})
    slot = f"request-closed_v1:{overtaken}"
    stores["scheduling"].update_one({"_id": overtaken}, {"$unset": {f"applied.{slot}": ""}, "$inc": {"version": 1}})
    stores["notify"].delete_one({"_id": forgotten})
    # a day long past: the sweeper does not look there
    booking = {"request_id": crowded, "visit_id": str(uuid4()), "team_id": "team-1", "minutes": 30}
    client["scheduling"]["days"].insert_one(
        {"_id": "2026-01-05", "version": 1, "bookings": {str(uuid4()): booking}, "visits": {}}
    )
    rows = (stores["notify"].find_one({"_id": told}) or {})["messages"]
    twice = next(row for row in rows.values() if row["purpose"] == "CLOSED" and row["state"] == "SENT")
    update = {"$set": {"messages.second": {**twice, "message_id": str(uuid4())}}, "$inc": {"version": 1}}
    stores["notify"].update_one({"_id": told}, update)
    row = {"id": str(uuid4()), "type": "item-closed.v1", "aggregate": "x", "sequence": 1}
    stores["issuance"].update_one({"_id": unsent}, {"$push": {"outbox": row}, "$inc": {"version": 1}})
    client["issuance"]["blanks"].update_one({"_id": "KTP"}, {"$inc": {"on_hand": -1, "used": 1}})
    return {
        ("fact-missing", lost),
        ("effect-missing", overtaken),
        ("case-missing", forgotten),
        ("http-missing", forgotten),
        ("booking-orphan", crowded),
        ("message-twice", told),
        ("mail-missing", told),
        ("pending-wrong", unsent),
        ("blanks-differ", ""),
    }
