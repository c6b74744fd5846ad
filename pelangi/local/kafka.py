"""Apache Kafka for one machine: a node (KRaft), SCRAM users and ACLs, its jars from Maven, the machine's Java."""

import base64
import shutil
import socket
import struct
import subprocess
import tempfile
import uuid
from pathlib import Path

from pelangi.chassis.provision import development_password
from pelangi.local.cache import cache_folder, locked
from pelangi.local.process import PROJECT, Command, free_port, leashed, port_open

VERSION = "4.3.1"
ADMIN = "admin"
DEPLOY = PROJECT / "deploy" / "local"
MAX_MESSAGE_BYTES = 3 * 1024 * 1024 + 64 * 1024  # a 3 MiB value with its key, headers and batch
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xms64m", "-Xmx256m", "-Djava.awt.headless=true")


def is_fetched() -> bool:
    """True when Kafka is in the cache already."""
    return (cache_folder() / f"kafka-{VERSION}").is_dir()


def fetch(cache: Path | None = None) -> Path:
    """The folder of Kafka's jars; fetched with Maven the first time (54 MB), whole or not at all, once for parallel runs."""
    folder = (cache or cache_folder()) / f"kafka-{VERSION}"
    if folder.is_dir():
        return folder
    with locked(folder.with_name(f"{folder.name}.lock")):
        if folder.is_dir():
            return folder
        if shutil.which("mvn") is None:
            raise RuntimeError("Maven (mvn) is needed to fetch Apache Kafka: install the package `maven`")
        for stale in folder.parent.glob("fetch-*"):  # of a run that was killed: whoever holds the lock is alone
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as temporary:
            jars = Path(temporary) / "lib"
            argv = ["mvn", "-B", "-q", "-f", str(DEPLOY / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
            run = subprocess.run(leashed(argv), check=False, capture_output=True, text=True)  # noqa: S603  # a fixed command
            if run.returncode:
                raise RuntimeError(f"Maven could not fetch Apache Kafka:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
            jars.rename(folder)
    return folder


def new_cluster_id() -> str:
    """A random id as Kafka wants it; a leading "-" would be read as an option."""
    return base64.b64encode(uuid.uuid4().bytes, b"__").decode().rstrip("=")


def _answers(port: int) -> bool:
    """Ask for the API versions, the one request that needs no login; version 0 of it is as old as Kafka's protocol."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


class Kafka:
    """One broker on a port of the loopback; its data stays in `folder`, so it starts with what it had."""

    name = "kafka"
    jvm = JVM

    def __init__(self, folder: Path, port: int = 9092, admin_password: str = development_password("admin")) -> None:
        self.folder = folder
        self.port = port
        self.admin_password = admin_password
        self._jars: Path | None = None

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that must be free."""
        return (self.port,)

    @property
    def bootstrap(self) -> str:
        """The address clients use, SASL_PLAINTEXT / SCRAM-SHA-512."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Fetch the program, write the settings, and give a new folder its cluster id and its first user."""
        self._jars = fetch()
        self.folder.mkdir(parents=True, exist_ok=True)
        data = self.folder / "data"
        if not data.is_dir():
            fresh = self.folder / "data.new"
            shutil.rmtree(fresh, ignore_errors=True)
            self._format(fresh)
            fresh.rename(data)
        self._write(self.folder / "server.properties", data)

    def command(self) -> Command:
        """How to run it, after `prepare`."""
        return Command(self.name, self._java("kafka.Kafka", str(self.folder / "server.properties")), cwd=self.folder)

    def ready(self) -> bool:
        """True once the broker answers requests; its port is open well before."""
        return port_open(self.port) and _answers(self.port)

    def _java(self, main: str, *arguments: str) -> tuple[str, ...]:
        assert self._jars is not None, "prepare() comes first"
        logging = f"-Dlog4j2.configurationFile={DEPLOY / 'log4j2.properties'}"
        return ("java", *self.jvm, logging, "-cp", f"{self._jars}/*", main, *arguments)

    def _format(self, data: Path) -> None:
        properties = self._write(self.folder / "format.properties", data)
        user = f"SCRAM-SHA-512=[name={ADMIN},password={self.admin_password}]"
        tool = self._java(
            "kafka.tools.StorageTool", "format", "-t", self._cluster_id(), "-c", str(properties), "--add-scram", user
        )
        run = subprocess.run(leashed(tool), check=False, capture_output=True, text=True)  # noqa: S603  # a fixed command
        if run.returncode:
            raise RuntimeError(f"Kafka's data folder could not be formatted:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")

    def _cluster_id(self) -> str:
        return new_cluster_id()

    def _write(self, path: Path, data: Path) -> Path:
        lines = (f"{name}={value}" for name, value in self._settings(data).items())
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
        return path

    def _settings(self, data: Path) -> dict[str, object]:
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        login = f'{module} required username="{ADMIN}" password="{self.admin_password}";'
        controller = f"127.0.0.1:{free_port()}"  # voters are named here and not in the data, so it may change at every start
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "log.dirs": data,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"CLIENTS://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{self.bootstrap}",
            "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENTS",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.clients.scram-sha-512.sasl.jaas.config": login,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # ANONYMOUS is who comes by the controller's listener; the clients' listener knows nobody without a password
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
            "auto.create.topics.enable": "false",
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "transaction.max.timeout.ms": 30_000,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "log.message.timestamp.type": "LogAppendTime",
            # back 3 s after kill -9 instead of 12; sound for a single node only
            "broker.session.timeout.ms": 1500,
            "broker.heartbeat.interval.ms": 300,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,  # 128 MiB by default: half of the small heap
            "num.network.threads": 2,
            "num.io.threads": 4,
        }
