"""Several brokers to begin with, as production names them."""

from typing import Any

import pytest
from pydantic import SecretStr

from pelangi.chassis import kafka
from services.intake.app import Settings


def settings(bootstrap: str) -> Settings:
    return Settings(kafka_bootstrap=bootstrap, mongo_uri=SecretStr("mongodb://nowhere/intake"))


def test_several_brokers_are_several_addresses_for_consumer_and_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(kafka, "AIOKafkaProducer", lambda **options: given.update(options))
    both = settings("one:9092, two:9092")
    kafka.make_producer(both)
    assert given["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert kafka.make_broker(both).specification.url == ["one:9092", "two:9092"]
    assert kafka.servers(settings("one:9092")) == ["one:9092"]
