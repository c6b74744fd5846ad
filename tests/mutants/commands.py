"""Mutants of calls over HTTP, and the contracts."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
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
        "if before is not None and (recalled := recall(before, command, ledger)) is not None:",
        "if before is None and (recalled := recall({}, command, ledger)) is not None:",
        "tests/unit/chassis/test_commands.py",
    ),
    # calls that share commands
    Mutant(
        "failures of a bulk are not mapped by index",
        "pelangi/chassis/store.py",
        'yield places[write_error["index"]], _failure(write_error)',
        "yield places[0], _failure(write_error)",
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "places are those among what was sent",
        "pelangi/chassis/store.py",
        'yield places[write_error["index"]], _failure(write_error)',
        'yield write_error["index"], _failure(write_error)',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "a short bulk is taken for applied",
        "pelangi/chassis/store.py",
        "return outcomes if matched == wanted else [False if outcome is True else outcome for outcome in outcomes]",
        "return outcomes",
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "two updates of one document in one bulk",
        "pelangi/chassis/group_commit.py",
        "if len(group) == MAX_GROUP or (mark is not None and mark in seen):",
        "if len(group) == MAX_GROUP:",
        "tests/unit/chassis/test_group_commit.py",
    ),
    Mutant(
        "a cancelled caller ends its group",
        "pelangi/chassis/group_commit.py",
        "            if future.done():  # its caller was cancelled\n                continue\n",
        "",
        "tests/unit/chassis/test_group_commit.py",
    ),
    Mutant(
        "groups hold any number",
        "pelangi/chassis/group_commit.py",
        "MAX_GROUP = 500",
        "MAX_GROUP = 5000",
        "tests/unit/chassis/test_group_commit.py",
    ),
    Mutant(
        "a store that fails fails one caller of the group",
        "pelangi/chassis/group_commit.py",
        "outcomes = [error] * len(group)",
        "outcomes = [error, *[True] * (len(group) - 1)]  # type: ignore[list-item]",
        "tests/unit/chassis/test_group_commit.py",
    ),
    Mutant(
        "a refusal is answered before the key is looked up",
        "pelangi/chassis/commands.py",
        "            refusal = error\n",
        "            raise\n",
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
)
