"""Prometheus' configuration, rules and alerts; by promtool, which `make tools` installs."""

import re
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from pelangi.contracts.topics import SERVICES
from pelangi.local.up import PORTS, Plan, UpSettings

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "deploy" / "prometheus"
GROUPS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def promtool(*arguments: Path | str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", ["compose.yml", "local.yml"])
def test_configuration_is_valid(name: str) -> None:
    promtool("check", "config", name)


def test_rules_are_valid_and_do_what_they_say() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yml")
    promtool("test", "rules", "rules_test.yml")


def test_every_rule_has_a_test() -> None:
    text = (FOLDER / "rules_test.yml").read_text()
    plain = {"job:pelangi_records:rate5m", "job:pelangi_events_sent:rate5m"}  # a sum of rates: nothing to get wrong
    for rule in RULES:
        assert rule.get("alert", rule.get("record")) in text or rule.get("record") in plain


def jobs(name: str) -> dict[str, list[str]]:
    config = yaml.safe_load((FOLDER / name).read_text())
    return {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}


def test_all_that_has_metrics_is_scraped() -> None:
    names = [*SERVICES, "portal"]
    assert jobs("compose.yml") == {name: [f"{name}:{PORTS[name]}"] for name in names}
    assert jobs("local.yml") == {name: [f"127.0.0.1:{PORTS[name]}"] for name in names}


def test_local_run_has_the_rules_too(tmp_path: Path) -> None:
    config = Plan(UpSettings(folder=tmp_path), lambda _a, _b: None).scrape_config()
    assert config["rule_files"] == [str(FOLDER / "rules.yml")]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    promtool("check", "config", tmp_path / "prometheus.yml")


def metrics_of_the_code() -> set[str]:
    for module in ("pelangi.chassis.metrics", "services.intake.gauges", *(f"services.{name}.metrics" for name in SERVICES)):
        import_module(module)
    return {
        family.name + suffix
        for family in REGISTRY.collect()
        if family.name.startswith("pelangi_")
        for suffix in SUFFIXES[family.type]
    }


def test_every_metric_of_the_rules_exists_in_the_code() -> None:
    """A misspelt metric is no error to Prometheus: its alert only never fires."""
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    known = metrics_of_the_code()
    for rule in RULES:
        expression = rule["expr"]
        for name in re.findall(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", expression):
            assert name in recorded, name
        plain = re.sub(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", "", expression)
        used = set(re.findall(r"\bpelangi_[a-z_]+", plain))
        assert used <= known, used - known


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alert_says_how_bad_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    runbook = PROJECT / alert["annotations"]["runbook_url"]
    assert runbook == PROJECT / "docs" / "runbooks" / f"{alert['alert']}.md"
    text = runbook.read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    for part in ("**What it means.**", "**What to look at", "**How to come back.**"):
        assert part in text


def test_runbooks_name_metrics_that_exist() -> None:
    known = metrics_of_the_code() | {rule["record"] for rule in RULES if "record" in rule}
    for path in (PROJECT / "docs" / "runbooks").glob("*.md"):
        for name in re.findall(r"`((?:[a-z_]+:)?pelangi_[a-z0-9_:]+)", path.read_text()):
            assert name in known or any(name + s in known for s in ("_bucket",)), f"{path.name}: {name}"
