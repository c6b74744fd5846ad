"""What three brokers are told, and on which ports: nothing is started here."""

from pathlib import Path

import pytest

from pelangi.local.kafka import Kafka
from pelangi.local.kafka_cluster import Address, KafkaCluster
from pelangi.local.process import FREE_PORTS, free_port
from pelangi.local.up import Plan, UpSettings, brokers_of

ADDRESSES = (Address(9092, 9102), Address(9112, 9122), Address(9132, 9142))


def settings(folder: Path) -> list[dict[str, object]]:
    nodes = KafkaCluster(folder, ADDRESSES).nodes()
    return [node._settings(node.folder / "data") for node in nodes]


def test_the_nodes_are_one_cluster_with_three_copies_of_which_two_must_answer(tmp_path: Path) -> None:
    first, second, third = told = settings(tmp_path)
    assert [s["node.id"] for s in told] == [1, 2, 3]
    assert {s["controller.quorum.voters"] for s in told} == {"1@127.0.0.1:9102,2@127.0.0.1:9122,3@127.0.0.1:9142"}
    assert second["listeners"] == "CLIENTS://127.0.0.1:9112,CONTROLLER://127.0.0.1:9122"
    assert third["advertised.listeners"] == "CLIENTS://127.0.0.1:9132"
    for name in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        assert first[f"{name}.replication.factor"] == 3
    assert first["transaction.state.log.min.isr"] == first["min.insync.replicas"] == 2


def test_the_clusters_id_is_made_once_and_its_nodes_keep_apart(tmp_path: Path) -> None:
    once, again = KafkaCluster(tmp_path, ADDRESSES).nodes(), KafkaCluster(tmp_path, ADDRESSES).nodes()
    assert {node._cluster_id() for node in (*once, *again)} == {(tmp_path / "cluster-id").read_text()}
    assert len({node.folder for node in once}) == 3
    assert KafkaCluster(tmp_path, ADDRESSES).bootstrap == "127.0.0.1:9092,127.0.0.1:9112,127.0.0.1:9132"


def test_up_starts_one_broker_or_three(tmp_path: Path) -> None:
    assert isinstance(brokers_of(UpSettings(folder=tmp_path)), Kafka)
    plan = Plan(UpSettings(folder=tmp_path, brokers=3), lambda *_: None)
    first, services, *_ = plan.stages()
    assert [p.name for p in first.programs] == ["kafka", "kafka-2", "kafka-3", "database", "mailbox"]
    assert [p.ports for p in first.programs[:3]] == [(9092, 9102), (9112, 9122), (9132, 9142)]
    bootstrap = services.programs[0].command().env["INTAKE_KAFKA_BOOTSTRAP"]
    assert bootstrap == "127.0.0.1:9092,127.0.0.1:9112,127.0.0.1:9132"
    with pytest.raises(ValueError, match="brokers: 1 or 3"):
        Plan(UpSettings(folder=tmp_path, brokers=2), lambda *_: None)


def test_a_free_port_lies_below_those_of_outgoing_connections_and_is_given_once() -> None:
    """One of those could take it while the program that listens there restarts."""
    first_of_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert all(FREE_PORTS[0] <= port <= FREE_PORTS[1] < first_of_outgoing for port in ports)
