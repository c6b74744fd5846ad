"""`pelangi up`: the whole system on this machine."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import yaml

from pelangi.chassis.provision import apply_database_users, apply_topics, development_password
from pelangi.contracts.topics import SERVICES
from pelangi.local.console import Console
from pelangi.local.database import Database
from pelangi.local.kafka import ADMIN, Kafka, is_fetched
from pelangi.local.kafka_cluster import MIN_ISR, REPLICATION, Address, KafkaCluster
from pelangi.local.mailbox import Mailbox
from pelangi.local.process import PROJECT, Command, http_ok
from pelangi.local.supervisor import BACKOFF_SECONDS, STATE_FILE, Program, Stage, Supervisor

PORTS: Mapping[str, int] = {
    "portal": 8000,
    "intake": 8001,
    "scheduling": 8002,
    "issuance": 8003,
    "notify": 8004,
    "kafka": 9092,
    "database": 27017,
    "smtp": 1025,
    "mailbox": 8025,
    "prometheus": 9090,
}
REPLICA_STEP = 100
BROKER_STEP, CONTROLLER_STEP = 20, 10
DEMO_USER = "city.demo"
PROMETHEUS_CONFIG = PROJECT / "deploy" / "prometheus" / "local.yml"


def default_folder() -> Path:
    """Where a run keeps its data: `PELANGI_DATA`, else `.data` in the project."""
    return Path(os.environ.get("PELANGI_DATA") or PROJECT / ".data")


def cli_command(*arguments: str) -> tuple[str, ...]:
    """Our own command line as a child."""
    return (sys.executable, "-m", "pelangi.cli", *arguments)


@dataclass(frozen=True)
class UpSettings:
    """What can be chosen.

    ports: other ports than the usual ones, by the names of PORTS. replicas: processes per service; the second listens
    100 higher. brokers: 1, or 3 that replicate each other; the next ones listen 20 and 40 higher. clock: PELANGI_CLOCK
    for everything. only: names of the programs to start (all when empty). play: a player that drives the system. env:
    more environment by service (or `portal`, `player`). child: how a program of ours is called; tests put stand-ins here.
    """

    folder: Path = field(default_factory=default_folder)
    ports: Mapping[str, int] = field(default_factory=dict)
    replicas: int = 1
    brokers: int = 1
    clock: str | None = None
    only: tuple[str, ...] = ()
    play: bool = False
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    child: Callable[..., tuple[str, ...]] = cli_command

    def port(self, name: str) -> int:
        """The port of this run."""
        return self.ports.get(name, PORTS[name])


async def up(settings: UpSettings | None = None) -> int:
    """Start everything, print where it is, run until SIGINT or SIGTERM; the exit code. Raises ValueError for a bad setting."""
    chosen = settings or UpSettings()
    console = Console()
    run = Plan(chosen, console)
    shortest, longest = BACKOFF_SECONDS
    backoff = (shortest, float(os.environ.get("PELANGI_RESTART_MAX_S") or longest))  # fault tests do not wait long
    supervisor = Supervisor(run.stages(), chosen.folder, console, backoff, on_ready=lambda s: console("up", run.welcome(s)))
    return await supervisor.run()


def brokers_of(settings: UpSettings) -> Kafka | KafkaCluster:
    """The broker, or the three of them."""
    folder, port = settings.folder.absolute(), settings.port("kafka")
    if settings.brokers == 1:
        return Kafka(folder / "kafka", port)
    ports = [port + number * BROKER_STEP for number in range(settings.brokers)]
    return KafkaCluster(folder / "kafka-cluster", [Address(p, p + CONTROLLER_STEP) for p in ports])


class Plan:
    """The programs of one run and the order they start in."""

    def __init__(self, settings: UpSettings, say: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._say = say
        folder, port = settings.folder.absolute(), settings.port
        self._database = Database(folder / "database", port("database"))
        self._mailbox = Mailbox(folder / "mailbox", port("smtp"), port("mailbox"))
        if unknown := set(settings.only) - {"player", *PORTS} | set(settings.ports) - set(PORTS):
            raise ValueError(f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(PORTS)}")
        if settings.replicas not in (1, 2):
            raise ValueError("replicas: 1 or 2")
        if settings.brokers not in (1, REPLICATION):
            raise ValueError(f"brokers: 1 or {REPLICATION}")
        self._kafka = brokers_of(settings)

    def stages(self) -> list[Stage]:
        """Parts, then services, then what shows them; without what `only` leaves out."""
        database, mailbox = self._database, self._mailbox
        parts = (
            *self._brokers(),
            Program("database", database.command, database.ready, (database.port,), database.prepare),
            Program("mailbox", mailbox.command, mailbox.ready, (mailbox.smtp_port, mailbox.http_port), mailbox.prepare),
        )
        services = (self._service(s, replica) for replica in range(self._settings.replicas) for s in SERVICES)
        stages = [
            Stage(tuple(p for p in parts if self._wanted(p.name.partition("-")[0])), self._provision),
            Stage(tuple(p for p in services if self._wanted(p.name.removesuffix("-2")))),
            Stage((self._portal(),) if self._wanted("portal") else ()),
            Stage(tuple(self._extras())),
        ]
        return [stage for stage in stages if stage.programs]

    def _wanted(self, name: str) -> bool:
        return not self._settings.only or name in self._settings.only

    def _brokers(self) -> Iterator[Program]:
        kafka = self._kafka
        for node in kafka.nodes() if isinstance(kafka, KafkaCluster) else [kafka]:
            yield Program(node.name, node.command, node.ready, node.ports, partial(self._prepare_broker, node))

    def _prepare_broker(self, node: Kafka) -> None:
        if not is_fetched():
            self._say(node.name, "fetching Apache Kafka (54 MB), once per machine")
        node.prepare()

    def _provision(self) -> None:
        """Topics, users and rights, each time: a new version may declare more."""
        if self._wanted("kafka"):
            copies, needed = (REPLICATION, MIN_ISR) if self._settings.brokers > 1 else (1, 1)
            at, password = self._kafka.bootstrap, self._kafka.admin_password
            apply_topics(at, ADMIN, password, replication=copies, min_isr=needed)
        if self._wanted("database"):
            apply_database_users(self._database.admin_uri)

    def _service(self, service: str, replica: int) -> Program:
        name = service if replica == 0 else f"{service}-{replica + 1}"
        port = self._settings.port(service) + replica * REPLICA_STEP
        values = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "KAFKA_BOOTSTRAP": self._kafka.bootstrap,
            "MONGO_URI": self._database.uri(service),
        }
        if service == "notify":
            smtp = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self._mailbox.smtp_port)}
            track = f"http://127.0.0.1:{self._settings.port('portal')}/track/"
            values |= smtp | {"MAILBOX_URL": self._mailbox.http_url, "TRACK_URL": track}
        return self._ours(name, service, ("serve", service), values, port)

    def _portal(self) -> Program:
        port = self._settings.port("portal")
        urls = {f"{s.upper()}_URL": f"http://127.0.0.1:{self._settings.port(s)}" for s in SERVICES}
        extra = {"MAILBOX_URL": self._mailbox.http_url, "PROMETHEUS_URL": f"http://127.0.0.1:{self._settings.port('prometheus')}"}
        return self._ours(
            "portal", "portal", ("serve", "portal"), {"HOST": "127.0.0.1", "PORT": str(port), **urls, **extra}, port
        )

    def _ours(self, name: str, kind: str, arguments: tuple[str, ...], values: Mapping[str, str], port: int) -> Program:
        env = {f"{kind.upper()}_{key}": value for key, value in values.items()} | self._common(kind)
        command = Command(name, self._settings.child(*arguments), env=env, cwd=PROJECT)
        return Program(name, lambda: command, partial(http_ok, f"http://127.0.0.1:{port}/healthz/ready"), (port,))

    def _common(self, kind: str) -> dict[str, str]:
        clock = {"PELANGI_CLOCK": self._settings.clock} if self._settings.clock else {}
        return {"PYTHONUNBUFFERED": "1", **clock, **self._settings.env.get(kind, {})}

    def _extras(self) -> list[Program]:
        extras = []
        if self._wanted("prometheus") and shutil.which("prometheus"):
            extras.append(self._prometheus())
        if self._settings.play:
            env = {f"PELANGI_{s.upper()}_URL": f"http://127.0.0.1:{self._settings.port(s)}" for s in SERVICES}
            command = Command("player", self._settings.child("simulate", "--play"), env=env | self._common("player"), cwd=PROJECT)
            extras.append(Program("player", lambda: command, lambda: True))
        return extras

    def _prometheus(self) -> Program:
        folder, port = self._settings.folder.absolute() / "prometheus", self._settings.port("prometheus")
        config = folder / "prometheus.yml"

        def prepare() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            config.write_text(yaml.safe_dump(self.scrape_config()))

        files = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}")
        options = (*files, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn")
        command = Command("prometheus", ("prometheus", *options))
        return Program("prometheus", lambda: command, partial(http_ok, f"http://127.0.0.1:{port}/-/ready"), (port,), prepare)

    def scrape_config(self) -> dict[str, Any]:
        """The committed configuration with the ports and replicas of this run."""
        config: dict[str, Any] = yaml.safe_load(PROMETHEUS_CONFIG.read_text())
        config["rule_files"] = [str((PROMETHEUS_CONFIG.parent / path).absolute()) for path in config.get("rule_files", [])]
        for job in config["scrape_configs"]:
            name = job["job_name"]
            replicas = self._settings.replicas if name in SERVICES else 1
            ports = [self._settings.port(name) + replica * REPLICA_STEP for replica in range(replicas)]
            job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
        return config

    def welcome(self, seconds: float) -> str:
        """What a person needs next."""
        port = self._settings.port
        lines = [
            f"Pelangi is ready after {seconds:.1f} s. Stop it with Ctrl-C; data stays in {self._settings.folder}.",
            f"  pages       http://127.0.0.1:{port('portal')}/  (form: /request, tracking: /track)",
            f"  operations  http://127.0.0.1:{port('portal')}/ops",
            *(f"  {service:<11} http://127.0.0.1:{port(service)}/docs" for service in SERVICES),
            f"  mailbox     {self._mailbox.http_url}/",
            f"  Kafka       {self._kafka.bootstrap}  SASL_PLAINTEXT SCRAM-SHA-512",
            f"              demo subscriber: user {DEMO_USER}, password {development_password(DEMO_USER)}, groups {DEMO_USER}.*",
        ]
        if self._wanted("prometheus"):
            at = f"http://127.0.0.1:{port('prometheus')}/"
            lines.append(f"  Prometheus  {at if shutil.which('prometheus') else 'is not installed (optional)'}")
        return "\n".join(lines)


def status(folder: Path | None = None) -> dict[str, Any] | None:
    """What runs in a data folder: the state file with `resident_mb` of each program added. None when nothing runs."""
    path = (folder or default_folder()) / STATE_FILE
    if not path.exists():
        return None
    state: dict[str, Any] = json.loads(path.read_text())
    if not psutil.pid_exists(state["pid"]):
        return None
    for program in state["programs"].values():
        try:
            program["resident_mb"] = round(psutil.Process(program["pid"]).memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            program["resident_mb"] = None
    return state
