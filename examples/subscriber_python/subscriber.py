"""Keeps the state of every request in a JSON file, from Pelangi's public topics. Copy this folder and change it.

What is read is written to the file first and committed to Kafka second. After a crash between the two some records come
again, and the fold drops what it knows. Without the file everything is read anew: the topics keep 30 days.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import fold
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener


class FromTheStart(ConsumerRebalanceListener):
    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer

    async def on_partitions_revoked(self, revoked: Any) -> None: ...

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self.consumer.seek_to_beginning(*assigned)


def read(state: fold.Json, record: Any) -> str | None:
    """Folds one record into the state; the request it changed."""
    try:
        request_id, sequence = record.key.decode(), int(dict(record.headers)["ce_sequence"])
        known = state.get(request_id, {})
        after = fold.apply(known, record.topic, sequence, json.loads(record.value))
        fold.view(after)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # not an event: say where, and go on
        print(f"skipped {record.topic}-{record.partition}-{record.offset}: {type(error).__name__}", file=sys.stderr)
        return None
    state[request_id] = after
    return None if after is known else request_id


def save(path: Path, state: fold.Json) -> None:
    """The old file or the new one, never half of it."""
    with path.with_name(f"{path.name}.new").open("w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


async def main(options: argparse.Namespace) -> None:
    known_before = options.state.exists()
    state: fold.Json = json.loads(options.state.read_text()) if known_before else {}
    async with AIOKafkaConsumer(
        bootstrap_servers=options.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=options.user,
        sasl_plain_password=options.password,
        group_id=f"{options.user}.state",  # a group of yours: its name begins with your user and a dot
        isolation_level="read_committed",  # only what was really published
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    ) as consumer:
        consumer.subscribe(list(fold.AGGREGATE), listener=None if known_before else FromTheStart(consumer))
        ends: dict[Any, int] = {}
        while not ends or any([await consumer.position(partition) < end for partition, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=500, max_records=500)
            records = [record for batch in batches.values() for record in batch]
            changed = {request_id for record in records if (request_id := read(state, record))}
            if records:
                save(options.state, state)
                await consumer.commit()
            for request_id in sorted(changed):
                print(fold.line(request_id, fold.view(state[request_id])), flush=True)
            if options.once and not ends and consumer.assignment():
                ends = await consumer.end_offsets(consumer.assignment())
        save(options.state, state)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--user", default="city.demo")
    parser.add_argument("--password", default="city.demo-dev")
    parser.add_argument("--state", type=Path, default=Path("state.json"))
    parser.add_argument("--once", action="store_true", help="read to the present end, write the state, stop")
    asyncio.run(main(parser.parse_args()))
