"""Three brokers on one machine, each a controller too: every topic three times, a write needs two of them (CONTRACTS.md §1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pelangi.chassis.provision import development_password
from pelangi.local.kafka import ADMIN, Kafka, new_cluster_id

REPLICATION, MIN_ISR = 3, 2
_INTERNAL = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node listens: for clients and other brokers, and for the other controllers."""

    clients: int
    controller: int


class ClusterNode(Kafka):
    """One of the nodes: node `number` (from 1) of the cluster at `addresses`."""

    jvm = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xms64m", "-Xmx384m", "-Djava.awt.headless=true")

    def __init__(self, folder: Path, number: int, addresses: Sequence[Address], cluster_id: str, admin_password: str) -> None:
        super().__init__(folder, addresses[number - 1].clients, admin_password)
        self.name = node_name(number)
        self.number = number
        self._addresses = tuple(addresses)
        self._id = cluster_id

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that must be free."""
        return (self.port, self._addresses[self.number - 1].controller)

    def _cluster_id(self) -> str:
        return self._id

    def _settings(self, data: Path) -> dict[str, object]:
        settings = super()._settings(data)
        mine = f"127.0.0.1:{self._addresses[self.number - 1].controller}"
        voters = (f"{number}@127.0.0.1:{address.controller}" for number, address in enumerate(self._addresses, start=1))
        settings |= {
            "node.id": self.number,
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"CLIENTS://{self.bootstrap},CONTROLLER://{mine}",
            "default.replication.factor": REPLICATION,
            "min.insync.replicas": MIN_ISR,
            # sound for several nodes, and still back in time for a test
            "broker.session.timeout.ms": 6000,
            "broker.heartbeat.interval.ms": 1000,
        }
        settings |= {f"{topic}.replication.factor": REPLICATION for topic in _INTERNAL}
        return settings | {f"{topic}.min.isr": MIN_ISR for topic in _INTERNAL[1:]}


class KafkaCluster:
    """Three nodes. `addresses`: where each listens; the data stays in `folder`."""

    def __init__(self, folder: Path, addresses: Sequence[Address], admin_password: str = development_password(ADMIN)) -> None:
        self.folder = folder
        self.admin_password = admin_password
        if len(addresses) != REPLICATION:
            raise ValueError(f"{REPLICATION} addresses are needed")
        self._addresses = tuple(addresses)

    @property
    def bootstrap(self) -> str:
        """The addresses that clients use."""
        return ",".join(f"127.0.0.1:{address.clients}" for address in self._addresses)

    def nodes(self) -> list[ClusterNode]:
        """The nodes, each to be prepared and started by itself; the id of their cluster is made once and kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / "cluster-id"
        if not kept.exists():
            kept.write_text(new_cluster_id())
        cluster_id = kept.read_text()
        numbers = range(1, REPLICATION + 1)
        return [ClusterNode(self.folder / node_name(n), n, self._addresses, cluster_id, self.admin_password) for n in numbers]


def node_name(number: int) -> str:
    """The program's name of a node: kafka, kafka-2, kafka-3."""
    return "kafka" if number == 1 else f"kafka-{number}"
