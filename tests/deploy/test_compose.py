"""docker-compose.yml: valid, hardened, pinned, and with the ports, users and settings of the contract."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from pelangi.chassis.provision import development_password
from pelangi.chassis.settings import ServiceSettings
from pelangi.contracts.topics import SERVICES
from pelangi.local.up import PORTS
from portal.settings import PortalSettings
from tests.deploy.model import BIN, COMPOSE_FILE, MODEL, PROJECT, SERVICES_OF_FILE, run

OURS = (*SERVICES, "portal", "mailbox", "topics")
ONE_SHOTS = ("kafka-init", "topics")
PINNED = re.compile(r"@sha256:[0-9a-f]{64}$|:v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.-]+)?$")


@pytest.fixture(params=sorted(SERVICES_OF_FILE))
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"name": request.param, **SERVICES_OF_FILE[request.param]}


def test_everything_of_the_system_is_there() -> None:
    assert set(SERVICES_OF_FILE) == {*OURS, "kafka", "kafka-init", "mongo", "prometheus", "grafana"}


def test_compose_finds_no_fault() -> None:
    run(BIN / "docker-compose", "-f", COMPOSE_FILE, "config", "-q")


def test_compose_lint_finds_no_fault_of_any_level() -> None:
    run(BIN / "compose-lint", "check", "--fail-on", "low", "--strict-config", "--no-env", COMPOSE_FILE)


def test_image_is_pinned(service: dict[str, Any]) -> None:
    assert PINNED.search(service["image"]), service["image"]


def test_our_image_has_the_version_of_the_project() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert {SERVICES_OF_FILE[name]["image"] for name in OURS} == {f"pelangi:{version}"}


def test_container_is_hardened(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges=true"]
    assert service["init"] is True
    assert service["stop_grace_period"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert service.get("read_only", False) is (service["name"] != "kafka")
    assert not service.get("privileged")
    assert not service.get("cap_add")


def test_container_is_limited(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    assert limits["pids"] > 0
    assert int(limits["memory"]) >= 256 * 2**20
    assert float(limits["cpus"]) > 0


def test_container_has_a_user_that_is_not_root(service: dict[str, Any]) -> None:
    assert service["user"] == ("10001:10001" if service["name"] in OURS else service["user"])
    assert service["user"].partition(":")[0] not in {"", "0", "root"}


def test_container_has_a_healthcheck_or_ends(service: dict[str, Any]) -> None:
    if service["name"] in ONE_SHOTS:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["healthcheck"]["start_period"]


def test_only_pages_are_published_and_only_on_the_loopback() -> None:
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service.get("ports", [])]
        for name, service in SERVICES_OF_FILE.items()
        if service.get("ports")
    }
    assert published == {
        "portal": [("127.0.0.1", str(PORTS["portal"]), PORTS["portal"])],
        "mailbox": [("127.0.0.1", str(PORTS["mailbox"]), PORTS["mailbox"])],
        "grafana": [("127.0.0.1", "3000", 3000)],
    }


def test_grafana_lets_nobody_in_without_the_secret_and_calls_nobody() -> None:
    environment = SERVICES_OF_FILE["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin_password"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in environment
    assert [secret["source"] for secret in SERVICES_OF_FILE["grafana"]["secrets"]] == ["grafana_admin_password"]
    for name in ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES"):
        assert environment[f"GF_ANALYTICS_{name}"] == "false"
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def test_only_what_is_published_leaves_the_internal_network() -> None:
    assert MODEL["networks"]["backend"]["internal"] is True
    for name, service in SERVICES_OF_FILE.items():
        if name == "kafka-init":
            assert service["network_mode"] == "service:kafka"
        else:
            assert set(service["networks"]) == ({"backend", "edge"} if service.get("ports") else {"backend"})


@pytest.mark.parametrize("name", SERVICES)
def test_service_listens_and_connects_where_the_contract_says(name: str) -> None:
    service, prefix = SERVICES_OF_FILE[name], name.upper()
    environment = service["environment"]
    assert service["command"] == ["serve", name]
    assert environment[f"{prefix}_HOST"] == "0.0.0.0"
    assert environment[f"{prefix}_PORT"] == str(PORTS[name])
    assert environment[f"{prefix}_KAFKA_BOOTSTRAP"] == f"kafka:{PORTS['kafka']}"
    assert f"http://127.0.0.1:{PORTS[name]}/healthz/ready" in service["healthcheck"]["test"][-1]
    uri = urlsplit(environment[f"{prefix}_MONGO_URI"])
    assert (uri.username, uri.password, uri.path) == (name, development_password(name), f"/{name}")
    assert (uri.hostname, uri.port) == ("mongo", PORTS["database"])
    assert parse_qs(uri.query) == {"authSource": [name], "replicaSet": ["rs0"]}


@pytest.mark.parametrize("name", SERVICES)
def test_service_waits_for_topics_and_database(name: str) -> None:
    waits = {other: wait["condition"] for other, wait in SERVICES_OF_FILE[name]["depends_on"].items()}
    assert (
        waits.items()
        >= {
            "topics": "service_completed_successfully",
            "mongo": "service_healthy",
            "kafka": "service_healthy",
        }.items()
    )


def test_every_setting_exists() -> None:
    """A misspelt variable would be ignored in silence."""
    for name in SERVICES:
        module = __import__(f"services.{name}.app", fromlist=["Settings"])
        assert issubclass(module.Settings, ServiceSettings)
        check_settings(name, set(module.Settings.model_fields))
    # where the pages find the mailbox: read by nobody yet, and given by `pelangi up` as well
    check_settings("portal", set(PortalSettings.model_fields) | {"mailbox_url"})


def check_settings(name: str, known: set[str]) -> None:
    prefix = f"{name.upper()}_"
    given = {key.removeprefix(prefix).lower() for key in SERVICES_OF_FILE[name]["environment"] if key.startswith(prefix)}
    assert given <= known, f"{name}: {given - known}"


def test_portal_finds_the_services() -> None:
    environment = SERVICES_OF_FILE["portal"]["environment"]
    for name in SERVICES:
        assert environment[f"PORTAL_{name.upper()}_URL"] == f"http://{name}:{PORTS[name]}"
    assert environment["PORTAL_PORT"] == str(PORTS["portal"])
    assert environment["PORTAL_PROMETHEUS_URL"] == f"http://prometheus:{PORTS['prometheus']}"


def test_notify_finds_the_mailbox() -> None:
    environment, command = SERVICES_OF_FILE["notify"]["environment"], SERVICES_OF_FILE["mailbox"]["command"]
    assert (environment["NOTIFY_SMTP_HOST"], environment["NOTIFY_SMTP_PORT"]) == ("mailbox", str(PORTS["smtp"]))
    assert environment["NOTIFY_MAILBOX_URL"] == f"http://mailbox:{PORTS['mailbox']}"
    assert command[command.index("--smtp-port") + 1] == str(PORTS["smtp"])
    assert command[command.index("--http-port") + 1] == str(PORTS["mailbox"])


def test_secrets_are_files_that_git_and_the_image_do_not_get() -> None:
    made = (PROJECT / "deploy" / "docker" / "dev-secrets.sh").read_text()
    for name, secret in MODEL["secrets"].items():
        assert Path(secret["file"]) == PROJECT / "deploy" / "docker" / "secrets" / name
        assert f"make_secret {name} " in made
        ignored = subprocess.run(["git", "check-ignore", "-q", secret["file"]], cwd=PROJECT, check=False)
        assert ignored.returncode == 0
    sent = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert (PROJECT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert not [line for line in sent if "secret" in line or line.rstrip("/") in {"!deploy", "!deploy/docker"}]


def test_no_variable_without_a_default() -> None:
    names = re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", COMPOSE_FILE.read_text())
    example = (PROJECT / "deploy" / "docker" / ".env.example").read_text()
    assert names
    for name, rest in names:
        assert rest.startswith(":-"), name
        assert re.search(rf"^{name}=", example, re.MULTILINE), name


def test_yaml_is_tidy() -> None:
    files = (".yamllint", ".hadolint.yaml", ".compose-lint.yml", ".pre-commit-config.yaml", "docker-compose.yml", "deploy")
    run(BIN / "yamllint", "--strict", *files)


def test_yaml_anchors_are_not_merged_twice() -> None:
    """`<<` twice in one map loses the first in silence; yaml.safe_load takes the last."""
    for block in re.split(r"^  (?=[a-z-]+:)", COMPOSE_FILE.read_text(), flags=re.MULTILINE):
        assert len(re.findall(r"^    <<:", block, re.MULTILINE)) <= 1
    assert yaml.safe_load(COMPOSE_FILE.read_text())["name"] == "pelangi"
