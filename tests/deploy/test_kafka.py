"""The broker settings of docker-compose.yml and deploy/kafka/init.sh, on a real Kafka.

The image cannot be pulled here. What runs is the same version from Maven, set up by the class that the image's start script
calls (kafka.docker.KafkaDockerWrapper), from the environment in the compose file; only ports and folders are others.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from pelangi.chassis.provision import admin_client, apply_topics
from pelangi.contracts.topics import TOPICS
from pelangi.local.kafka import DEPLOY, JVM, Kafka, fetch
from pelangi.local.process import Child, Command, free_port
from tests.deploy.model import PROJECT, SERVICES_OF_FILE

TOOL = """#!/bin/sh
exec java {jvm} -cp "{jars}/*" kafka.admin.ConfigCommand "$@"
"""


class ComposeKafka:
    """A broker as compose sets it up."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.jars = folder, fetch()
        self.clients, self.admin, self.controller = free_port(), free_port(), free_port()
        self.environment = self._environment()
        for name in ("default", "mounted", "final"):
            (folder / name).mkdir()
        (folder / "final" / "server.properties").touch()
        settings = folder / "final" / "server.properties"
        self._java(
            "kafka.docker.KafkaDockerWrapper",
            "setup",
            *(f"--{name}-configs-dir={folder / name}" for name in ("default", "mounted", "final")),
        )
        self.settings = settings.read_text()
        logging = f"-Dlog4j2.configurationFile={DEPLOY / 'log4j2.properties'}"
        argv = ("java", *JVM, logging, "-cp", f"{self.jars}/*", "kafka.Kafka", str(settings))
        self.child = Child(Command("kafka", argv, cwd=folder))

    def _environment(self) -> dict[str, str]:
        """The environment in the compose file, with the ports and folders of this test."""
        given: dict[str, str] = SERVICES_OF_FILE["kafka"]["environment"]
        replaced = {
            "kafka:9092": f"127.0.0.1:{self.clients}",
            "CLIENTS://:9092": f"CLIENTS://127.0.0.1:{self.clients}",
            "localhost:9094": f"localhost:{self.admin}",
            "localhost:9093": f"localhost:{self.controller}",
            "/var/lib/kafka/data": str(self.folder / "data"),
        }
        environment = {}
        for name, value in given.items():
            text = value
            for old, new in replaced.items():
                text = text.replace(old, new)
            environment[name] = text
        return environment

    def _java(self, main: str, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], **self.environment}
        command = ["java", *JVM, "-cp", f"{self.jars}/*", main, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def init(self) -> None:
        """deploy/kafka/init.sh, with the image's command replaced by the same class."""
        tools = self.folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "kafka-configs.sh").write_text(TOOL.format(jvm=" ".join(JVM), jars=self.jars))
        (tools / "kafka-configs.sh").chmod(0o755)
        secret = self.folder / "password"
        secret.write_text("admin-dev")
        own = {"KAFKA_BIN": str(tools), "ADMIN_LISTENER": f"localhost:{self.admin}", "ADMIN_USER": "admin"}
        environment = {"PATH": os.environ["PATH"], "ADMIN_PASSWORD_FILE": str(secret), **own}
        script = PROJECT / "deploy" / "kafka" / "init.sh"
        done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "admin-dev" not in done.stdout + done.stderr

    def ready(self) -> bool:
        return Kafka(self.folder, self.clients).ready()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeKafka]:
    folder = tmp_path_factory.mktemp("compose-kafka")
    kafka = ComposeKafka(folder)
    try:
        kafka.child.start()
        kafka.child.wait_ready(kafka.ready)
        yield kafka
    finally:
        kafka.child.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_first_user_is_made_and_makes_the_rest(broker: ComposeKafka) -> None:
    bootstrap = f"127.0.0.1:{broker.clients}"
    with pytest.raises(KafkaException):  # nobody has a password yet
        admin_client(bootstrap, "admin", "admin-dev").list_topics(timeout=3)
    broker.init()
    broker.init()  # again: the same password
    made = apply_topics(bootstrap, "admin", "admin-dev")
    assert sum(line.endswith("created") for line in made) == len(TOPICS)
    for _ in range(30):  # what the controller has taken, the broker shows a moment later
        again = apply_topics(bootstrap, "admin", "admin-dev")
        if not again:
            break
        time.sleep(0.3)
    assert again == []
    with pytest.raises(KafkaException):
        admin_client(bootstrap, "admin", "wrong").list_topics(timeout=3)
    seen = admin_client(bootstrap, "city.demo", "city.demo-dev").list_topics(timeout=10).topics
    assert set(seen) == {topic.name for topic in TOPICS if topic.public}


def test_wrapper_turned_every_variable_into_a_setting(broker: ComposeKafka) -> None:
    settings = dict(line.partition("=")[::2] for line in broker.settings.splitlines() if "=" in line)
    assert settings["listener.name.clients.scram-sha-512.sasl.jaas.config"].endswith("required;")
    assert settings["authorizer.class.name"].endswith("StandardAuthorizer")
    assert settings["super.users"] == "User:admin;User:ANONYMOUS"
    assert settings["auto.create.topics.enable"] == "false"


def test_listeners_without_a_password_are_bound_to_the_loopback() -> None:
    environment = SERVICES_OF_FILE["kafka"]["environment"]
    protocols = dict(pair.split(":") for pair in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in environment["KAFKA_LISTENERS"].split(","):
        name, _, address = listener.partition("://")
        assert protocols[name] == "SASL_PLAINTEXT" or address.startswith("localhost:")


def test_compose_and_the_local_run_agree(tmp_path: Path) -> None:
    """Same behaviour on both: what differs is named here."""
    local = {name: str(value).lower() for name, value in Kafka(tmp_path)._settings(tmp_path).items()}
    prefix = len("KAFKA_")
    compose = {
        name[prefix:].lower().replace("___", "-").replace("_", "."): value.lower()
        for name, value in SERVICES_OF_FILE["kafka"]["environment"].items()
        if name.startswith("KAFKA_")
    }
    differing = {
        *("listeners", "advertised.listeners", "listener.security.protocol.map", "controller.quorum.voters", "log.dirs"),
        *("inter.broker.listener.name", "listener.name.clients.scram-sha-512.sasl.jaas.config"),
    }
    only_local = {
        "sasl.mechanism.inter.broker.protocol",  # compose: the broker comes to itself by ADMIN
        *("broker.session.timeout.ms", "broker.heartbeat.interval.ms", "log.cleaner.dedupe.buffer.size"),  # a small machine
        *("num.network.threads", "num.io.threads"),
    }
    assert local.keys() - compose.keys() == only_local
    assert compose.keys() - local.keys() == {"heap.opts"}  # for the JVM
    for name in local.keys() & compose.keys() - differing:
        assert compose[name] == local[name], name
