"""FastStream's part: one batch subscriber per service, and the declaration of what the service publishes.

Our parser hands the raw records through: FastStream's own decodes every header as UTF-8 and every body as JSON before the
handler runs, so that one bad record would lose its whole batch. See ADR 0004 for what else of FastStream is not used.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka.abc import ConsumerRebalanceListener
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from pelangi.chassis import kafka
from pelangi.chassis.decode import Record
from pelangi.chassis.metrics import COMMITS, LAG, REBALANCES
from pelangi.chassis.read_ahead import Prepare, ReadAhead
from pelangi.chassis.settings import ServiceSettings
from pelangi.contracts.topics import written_by

POLL_LIMIT_S = 15.0


class _Message(KafkaAckableMessage):
    """A batch. FastStream's own commits wherever reading has got to, which may be a batch further."""

    ahead: ReadAhead

    async def ack(self) -> None:
        if not self.committed:
            await self.ahead.commit()
            COMMITS.inc()
        await super(KafkaAckableMessage, self).ack()

    async def nack(self) -> None:
        if not self.committed:
            await self.ahead.put_back()
        await super().nack()


class _Rebalances(ConsumerRebalanceListener):
    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002 - aiokafka's signature
        REBALANCES.inc()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        for partition in revoked:
            with suppress(KeyError):
                LAG.remove(partition.topic, str(partition.partition))


class Subscriber:
    """The consumer side of one service. `handle` gets every batch of raw records; offsets are committed when it returns.

    prepare: gets a batch that was read ahead of its turn; `handle` gets the very same object later, or never.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        topics: Sequence[str],
        handle: Callable[[Sequence[Record]], Awaitable[None]],
        prepare: Prepare = lambda _: None,
    ) -> None:
        self.broker: KafkaBroker = kafka.make_broker(settings)
        self._handle = handle
        self._subscriber = self.broker.subscriber(
            *topics,
            **kafka.subscription(settings.name),
            listener=_Rebalances(),
            parser=self._parse,
            decoder=self._decode,
        )
        self._subscriber(self._consume)
        self._polled_at = self._started_at = -math.inf
        self._ahead = ReadAhead(self._subscriber.get_msg, prepare)
        self._subscriber.get_msg = self._read
        for topic in written_by(settings.name):
            self.broker.publisher(topic)

    async def _read(self, consumer: Any) -> Any:
        """FastStream polls a dead consumer, or one without rights, for ever and in silence: note each poll that worked."""
        records = await self._ahead.read(consumer)
        self._polled_at = time.monotonic()
        return records

    def read_ahead(self) -> None:
        """The batch in hand is about to be written: read the next one meanwhile, if there is a backlog."""
        self._ahead.begin(kafka.BATCH_RECORDS)

    @property
    def dead(self) -> bool:
        """Whether the consumer was started and can never work again: the task that keeps it in its group has ended."""
        consumer = self._subscriber.consumer
        task = getattr(getattr(consumer, "_coordinator", None), "_coordination_task", None)
        return task is not None and task.done()

    def polls(self, within_s: float = POLL_LIMIT_S) -> bool:
        """Whether records were asked for and got an answer lately. A batch in hand is not: ask `Consumer.busy_since`."""
        return time.monotonic() - self._polled_at < within_s

    def idle_s(self) -> float:
        """Seconds since records were asked for, or since the start where they never were. A batch in hand is not idle either."""
        return time.monotonic() - max(self._polled_at, self._started_at)

    async def start(self) -> None:
        """Join the group. Raises a KafkaError while Kafka is away; may be called again then."""
        try:
            await self.broker.start()
            self._started_at = time.monotonic()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Finish the batch in hand and leave the group."""
        await self.broker.stop()
        await self._ahead.forget()

    async def reachable(self, timeout_s: float = 2.0) -> bool:
        """Whether Kafka answers this consumer now."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await consumer.topics()
        except Exception:  # noqa: BLE001 - whatever it is, Kafka did not answer; readiness says so
            return False
        return True

    async def measure_lag(self) -> None:
        """Set the lag gauge of every assigned partition."""
        consumer = self._subscriber.consumer
        for partition in consumer.assignment() if consumer else ():
            end = consumer.last_stable_offset(partition)
            if end is not None:
                position = await consumer.position(partition)
                LAG.labels(partition.topic, str(partition.partition)).set(max(end - position, 0))

    async def _consume(self, records: Any) -> None:
        """`records` are raw; FastStream would build a validating model from a narrower annotation."""
        await self._handle(records)

    async def _parse(self, message: tuple[Any, ...]) -> _Message:
        parsed = _Message(
            raw_message=message,
            body=message,
            headers={},
            message_id=f"{message[0].offset}-{message[-1].offset}",
            consumer=self._subscriber.consumer,
        )
        parsed.ahead = self._ahead
        return parsed

    async def _decode(self, message: _Message) -> Any:
        return message.raw_message
