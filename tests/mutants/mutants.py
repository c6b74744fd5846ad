"""Edits that break a rule of ARCHITECTURE.md §2; each must fail the named test. `make mutants` tries them all.

`old` must stand exactly once in its file: tests/mutants/test_list.py says when the code has moved on.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit, and the test that must see it."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTANTS: tuple[Mutant, ...] = (
    # the outbox and the version
    Mutant(
        "outbox is overwritten instead of pushed",
        "pelangi/chassis/case.py",
        'update["$push"] = {"outbox": {"$each": self.envelopes}}',
        'update.setdefault("$set", {})["outbox"] = self.envelopes',
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "no $min on pending_since",
        "pelangi/chassis/case.py",
        'update["$min"] = {"pending_since": self.envelopes[0]["time"]}',
        "pass",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "no $min on pending_since, seen from outside",
        "pelangi/chassis/case.py",
        'update["$min"] = {"pending_since": self.envelopes[0]["time"]}',
        "pass",
        "tests/properties/test_machine.py",
    ),
    Mutant(
        "one version for all transitions of a write",
        "pelangi/chassis/case.py",
        'version = self.after["version"] + 1',
        'version = (self.before["version"] if self.before else 0) + 1',
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "events are dropped",
        "pelangi/chassis/case.py",
        'self.envelopes.append(_envelope(after["_id"], emission, version, wall, trace))',
        "pass",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "two events of one aggregate in one transition",
        "pelangi/chassis/case.py",
        'assert all((e.type, e.aggregate) != (emission.type, emission.aggregate) for e in emits), "two events of one aggregate"',
        "pass",
        "tests/unit/chassis/test_case.py",
    ),
    # which facts are known
    Mutant(
        "sequences per type only",
        "pelangi/chassis/case.py",
        "return f\"{self.type.replace('.', '_')}:{self.aggregate}\"",
        "return self.type.replace('.', '_')",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "sequences per aggregate only",
        "pelangi/chassis/case.py",
        "return f\"{self.type.replace('.', '_')}:{self.aggregate}\"",
        "return self.aggregate",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "known means that the case exists",
        "pelangi/chassis/case.py",
        "if applied.get(slot, -1) >= fact.sequence:",
        'if cast(BaseCase, case)["version"]:',
        "tests/unit/chassis/test_consumer.py",
    ),
    Mutant(
        "an older fact is applied",
        "pelangi/chassis/case.py",
        "if applied.get(slot, -1) >= fact.sequence:",
        "if applied.get(slot, -1) == fact.sequence:",
        "tests/unit/chassis/test_case.py",
    ),
    # the store
    Mutant(
        "an update without its guard",
        "pelangi/chassis/store.py",
        'self._inner.update_one({"_id": guarded.id, "version": guarded.version}, guarded.update)',
        'self._inner.update_one({"_id": guarded.id}, guarded.update)',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "a bulk without its guard",
        "pelangi/chassis/store.py",
        'UpdateOne({"_id": u.id, "version": u.version}, u.update)',
        'UpdateOne({"_id": u.id}, u.update)',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "a duplicate key on any index means it is there",
        "pelangi/chassis/store.py",
        'if fields != ["_id"]:',
        "if not fields:",
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "reads that a failover takes back",
        "pelangi/chassis/store.py",
        'ReadConcern("majority")',
        'ReadConcern("local")',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "writes that a failover takes back",
        "pelangi/chassis/store.py",
        'WriteConcern("majority", j=True)',
        "WriteConcern(1)",
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "applied means modified",
        "pelangi/chassis/store.py",
        "return bool(result.matched_count)",
        "return bool(result.modified_count)",
        "tests/stores/test_collection.py",
    ),
    # consuming
    Mutant(
        "a batch is acknowledged before it is written",
        "pelangi/chassis/consumer.py",
        "            await self._handle(records)",
        "            asyncio.ensure_future(self._handle(records))",
        "tests/unit/chassis/test_consumer.py",
    ),
    Mutant(
        "offsets are committed whatever happens",
        "pelangi/chassis/kafka.py",
        '"ack_policy": AckPolicy.NACK_ON_ERROR',
        '"ack_policy": AckPolicy.ACK_FIRST',
        "tests/wiring/test_wiring.py",
    ),
    Mutant(
        "records of open transactions are read",
        "pelangi/chassis/kafka.py",
        '"isolation_level": "read_committed"',
        '"isolation_level": "read_uncommitted"',
        "tests/wiring/test_wiring.py",
    ),
    Mutant(
        "a failing store is swallowed",
        "pelangi/chassis/consumer.py",
        "            self._backoff = min(self._backoff * 2, LAST_BACKOFF_S)\n            raise",
        "            self._backoff = min(self._backoff * 2, LAST_BACKOFF_S)",
        "tests/unit/chassis/test_consumer.py",
    ),
    Mutant(
        "what lost a race is not folded again",
        "pelangi/chassis/consumer.py",
        "if not changes or await self._write(changes):",
        "if not changes or await self._write(changes) is not None:",
        "tests/unit/chassis/test_consumer.py",
    ),
    Mutant(
        "a broken record is dropped",
        "pelangi/chassis/consumer.py",
        "            await self.set_aside(record, reason)",
        "            pass",
        "tests/unit/chassis/test_consumer.py",
    ),
    Mutant(
        "a bug of ours drains the stream into the dead letters",
        "pelangi/chassis/consumer.py",
        "if len(records) >= MAX_SAME_EXCEPTIONS:",
        "if False:",
        "tests/unit/chassis/test_consumer.py",
    ),
    # the relay and the leader
    Mutant(
        "cleared before it is sent",
        "pelangi/chassis/relay.py",
        "            await self._send(producer, records)",
        "            await self._clear(sent)\n            await self._send(producer, records)",
        "tests/unit/chassis/test_relay.py",
    ),
    Mutant(
        "the whole outbox is cleared",
        "pelangi/chassis/relay.py",
        '{"$not": [{"$in": ["$$this.id", ids]}]}',
        '{"$in": ["$$this.id", []]}',
        "tests/unit/chassis/test_relay.py",
    ),
    Mutant(
        "pending_since is nulled instead of removed",
        "pelangi/chassis/relay.py",
        '"$$REMOVE", {"$min": _TIMES}',
        'None, {"$min": _TIMES}',
        "tests/unit/chassis/test_relay.py",
    ),
    Mutant(
        "a snapshot is numbered as when it was marked",
        "pelangi/chassis/relay.py",
        '"sequence": case["version"],',
        '"sequence": marker["sequence"],',
        "tests/unit/chassis/test_relay.py",
    ),
    Mutant(
        "the lease is stolen at first sight",
        "pelangi/chassis/leader.py",
        "if time.monotonic() - self._seen_at < self.ttl_s:",
        "if False:",
        "tests/unit/chassis/test_leader.py",
    ),
    Mutant(
        "the lease is taken from whoever beats",
        "pelangi/chassis/leader.py",
        "return await self.collection.update(Guarded(LEASE, version, update))",
        'return bool(await self.collection.update_where({"_id": LEASE}, update))',
        "tests/unit/chassis/test_leader.py",
    ),
    # commands
    Mutant(
        "version proves a win",
        "pelangi/chassis/commands.py",
        "        if applied:\n            return answer",
        "        if applied is not None:\n            return answer",
        "tests/unit/chassis/test_commands.py",
    ),
    Mutant(
        "a key may be used with another body",
        "pelangi/chassis/commands.py",
        'if record["digest"] != command.digest:',
        "if False:",
        "tests/unit/chassis/test_commands.py",
    ),
    Mutant(
        "the key is not looked up",
        "pelangi/chassis/commands.py",
        "if before is not None and (answer := recall(before, command, ledger)) is not None:",
        "if before is None and (answer := recall({}, command, ledger)) is not None:",
        "tests/unit/chassis/test_commands.py",
    ),
    Mutant(
        "the precondition is not looked at",
        "pelangi/chassis/commands.py",
        "if command.if_match is not None and before is not None and ledger.version(before) != command.if_match:",
        "if False:",
        "tests/unit/chassis/test_commands.py",
    ),
    # contracts
    Mutant(
        "an event id without the sequence",
        "pelangi/contracts/envelope.py",
        'f"{type_}|{request_id}|{aggregate_id}|{sequence}"',
        'f"{type_}|{request_id}|{aggregate_id}"',
        "tests/unit/contracts/test_envelope.py",
    ),
    Mutant(
        "sixteen digits in a public event",
        "pelangi/contracts/events.py",
        "if topics.BY_NAME[type_].public and holds_sixteen_digits(raw):",
        "if False:",
        "tests/unit/contracts/test_events.py",
    ),
    Mutant(
        "a snapshot fits any record",
        "pelangi/contracts/encryption.py",
        'if (header.get("topic"), header.get("key")) != (topic, key):',
        "if False:",
        "tests/unit/contracts/test_encryption.py",
    ),
    Mutant(
        "the kelurahan of a home is public",
        "pelangi/contracts/public.py",
        "return village_code if kind in PUBLIC_PLACE_KINDS else CITY_CODE",
        "return village_code",
        "tests/unit/contracts",
    ),
    # the services
    Mutant(
        "a closed request goes on",
        "services/intake/model.py",
        'if "body" not in case or not is_open(case):',
        'if "body" not in case:',
        "tests/unit/intake/test_model.py",
    ),
    Mutant(
        "an item is announced closed again and again",
        "services/issuance/model.py",
        'and item["item_id"] not in case.get("closed", {})',
        "and True",
        "tests/unit/issuance",
    ),
    Mutant(
        "a day without limit",
        "services/scheduling/days.py",
        'if slot["visit_kind"] == VisitKind.HOME and _home_visits(day, team.team_id) >= team.home_visits_per_day:',
        "if False:",
        "tests/unit/scheduling",
    ),
    Mutant(
        "whoever comes third holds",
        "services/scheduling/model.py",
        '    if want is None or want["placement_id"] != slot["placement_id"]:\n        return case\n    before =',
        "    if want is None:\n        return case\n    before =",
        "tests/unit/scheduling",
    ),
    Mutant(
        "a visit is followed again and again",
        "services/scheduling/model.py",
        'if visit is None or visit["status"] not in OPEN_VISIT or visit["version"] >= seen.version:',
        "if visit is None:",
        "tests/unit/scheduling",
    ),
    Mutant(
        "any claim may send",
        "services/notify/delivery.py",
        'return row["state"] == rows.CLAIMED and row.get("claim") == claim_id',
        'return row["state"] == rows.CLAIMED',
        "tests/unit/notify/test_sending.py",
    ),
    Mutant(
        "an unknown end is sent again blindly",
        "services/notify/delivery.py",
        '        return _fall_back(case, key, "OUTCOME_UNKNOWN")',
        '        return _changed(case, key, {"state": rows.PENDING, "due": rows.AT_ONCE})',
        "tests/unit/notify/test_faults.py",
    ),
    Mutant(
        "the dead are written to",
        "services/notify/messages.py",
        "if someone is not None and not someone.deceased",
        "if someone is not None",
        "tests/unit/notify/test_deceased_and_duplicates.py",
    ),
    # requests as life has them
    Mutant(
        "two duplicates of each other close both",
        "services/intake/duplicates.py",
        'if case.get("heading", {}).get("claim") != claim:',
        "if False:",
        "tests/unit/intake/test_duplicates.py",
    ),
    Mutant(
        "the same key files another submission",
        "services/intake/submissions.py",
        'if case["created"]["digest"] != submission.digest:',
        "if False:",
        "tests/unit/intake/test_submissions.py",
    ),
    Mutant(
        "an unknown key of a client is waited for",
        "services/intake/submissions.py",
        'return Submission(address.key, refusal="unknown_key")',
        "raise",
        "tests/unit/intake/test_submissions.py",
    ),
    Mutant(
        "full-width digits are a NIK",
        "services/intake/nik.py",
        'if not re.fullmatch(r"[0-9]{16}", digits):',
        "if not (digits.isdigit() and len(digits) == 16):",
        "tests/unit/intake/test_nik.py",
    ),
    Mutant(
        "who must be looked for is planned again by itself",
        "services/scheduling/agenda.py",
        "return reason is None or REASONS.deferral[DeferralReason(reason)].auto_reschedule",
        "return True",
        "tests/unit/scheduling",
    ),
    Mutant(
        "a blank that is not there",
        "services/issuance/blanks.py",
        '"on_hand": {"$gte": 1}, slot',
        "slot",
        "tests/unit/issuance/test_blanks.py",
    ),
    Mutant(
        "a card goes on without its new recording",
        "services/issuance/model.py",
        'if not done_visits(case, item["item_id"]) - set(document.get("done_before", [])):',
        'if not done_visits(case, item["item_id"]):',
        "tests/unit/issuance",
    ),
    Mutant(
        "one key means two calls",
        "pelangi/chassis/web.py",
        'call.encode() + b"\\n" + canonical',
        "canonical",
        "tests/unit/chassis/test_web.py",
    ),
    Mutant(
        "duplicate keys of JSON are taken",
        "pelangi/chassis/web.py",
        "if len(found) != len(pairs):",
        "if False:",
        "tests/unit/chassis/test_web.py",
    ),
)
