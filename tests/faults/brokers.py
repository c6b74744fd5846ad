"""What the brokers of a stack say of themselves: who leads a busy partition, who is the active controller, what was written."""

import re
import subprocess
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pelangi.chassis.provision import admin_client, development_password
from pelangi.contracts.topics import DATA_PARTITIONS
from pelangi.local.kafka import ADMIN, JVM, fetch
from pelangi.local.kafka_cluster import node_name
from pelangi.local.private import PrivateStack
from tests.support.service import wait_for

LOGIN = (
    "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n"
    "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
    f'username="{ADMIN}" password="{development_password(ADMIN)}";\n'
)


class Brokers:
    """Asks the brokers of a running stack, those that are away left out."""

    def __init__(self, stack: PrivateStack, folder: Path) -> None:
        self._bootstrap = stack.bootstrap
        self._login = folder / "admin.properties"
        self._login.write_text(LOGIN)

    def login(self, user: str) -> dict[str, str]:
        """What a confluent_kafka client needs to be this user."""
        return {
            "bootstrap.servers": self._bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": development_password(user),
        }

    def written(self, topic: str) -> list[int]:
        """The end of each partition. Waits until each has a leader that answers."""
        return wait_for(lambda: self._ends(topic), 90, "a partition without a leader")

    def busy_leader(self, topic: str) -> str:
        """The program that leads the partition with the most records."""
        ends = self.written(topic)
        return node_name(self._described(topic)[ends.index(max(ends))].leader)

    def in_sync(self, topic: str) -> int:
        """How many copies the partition has that has the fewest up to date."""
        return min(len(partition.isrs) for partition in self._described(topic).values())

    def _admin(self) -> AdminClient:
        """A new one each time: an old one asks brokers that are away for a while."""
        return admin_client(self._bootstrap, ADMIN, development_password(ADMIN))

    def _described(self, topic: str) -> Any:
        return self._admin().list_topics(topic, timeout=30).topics[topic].partitions

    def _ends(self, topic: str) -> list[int] | None:
        admin, partitions = self._admin(), [TopicPartition(topic, number) for number in range(DATA_PARTITIONS)]
        try:
            answers = admin.list_offsets({p: OffsetSpec.latest() for p in partitions}, request_timeout=5)
            return [answers[partition].result(6).offset for partition in partitions]
        except KafkaException:
            return None

    def active_controller(self) -> str:
        """The program that leads the quorum of controllers."""
        argv = ["java", *JVM, "-cp", f"{fetch()}/*", "org.apache.kafka.tools.MetadataQuorumCommand"]
        argv += ["--bootstrap-server", self._bootstrap, "--command-config", str(self._login), "describe", "--status"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        found = re.search(r"LeaderId:\s+(\d+)", said.stdout)
        assert found, said.stdout + said.stderr
        return node_name(int(found[1]))
