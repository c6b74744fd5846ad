"""The dashboard as code: its JSON is what the source makes, its queries are PromQL, its metrics exist, Grafana finds it."""

import importlib.util
import json
import re
from typing import Any

import promql_parser
import pytest
import yaml

from portal import ops
from tests.deploy.model import PROJECT, SERVICES_OF_FILE
from tests.deploy.test_prometheus import RULES, metrics_of_the_code

GRAFANA = PROJECT / "deploy" / "grafana"
_spec = importlib.util.spec_from_file_location("dashboard", GRAFANA / "dashboard.py")
assert _spec and _spec.loader
source = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(source)
DASHBOARD: dict[str, Any] = json.loads(source.text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_both_copies_are_what_the_source_makes() -> None:
    for copy in source.COPIES:
        assert copy.read_text(encoding="utf-8") == source.text(), "run: .venv/bin/python deploy/grafana/dashboard.py"


def test_it_is_the_classic_schema() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert "elements" not in DASHBOARD
    assert {panel["type"] for panel in DASHBOARD["panels"]} == {"timeseries"}
    assert DASHBOARD["uid"] == "pelangi"


def test_panels_have_numbers_of_their_own_and_two_languages() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers) >= 12
    for panel in DASHBOARD["panels"]:
        assert panel["title"].count(" / ") == 1
        assert panel.get("description", " / ").count(" / ") == 1
        assert panel["fieldConfig"]["defaults"]["unit"] in {"short", "s", "reqps", "percentunit", "cpm"}


SHOWN = """in_state event_age lag outbox_oldest outbox_pending dead_letters http_request http_errors messages_total leader
timer_failures visits_ended document items_closed"""


@pytest.mark.parametrize("wanted", SHOWN.split())
def test_it_shows(wanted: str) -> None:
    assert any(wanted in expression for expression in EXPRESSIONS)


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for rule in RULES)])
def test_query_is_promql(expression: str) -> None:
    promql_parser.parse(ops.filled(expression, 15))


def test_a_misspelt_query_would_be_found() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum by (job (up)")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_metric_exists_in_the_code_or_the_rules(expression: str) -> None:
    known = metrics_of_the_code() | {rule["record"] for rule in RULES if "record" in rule}
    for name in re.findall(r"(?:[a-z_]+:)?\bpelangi_[a-z0-9_:]+", expression):
        assert name in known, name


def test_grafana_is_given_the_dashboard_and_the_source_it_names() -> None:
    (datasource,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert datasource["uid"] == source.SOURCE.uid
    assert datasource["url"] == "http://prometheus:9090"
    assert datasource["jsonData"]["timeInterval"].startswith(f"{ops.SCRAPE_S}s")
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/pelangi.yml").read_text())["providers"]
    mounts = {mount["target"]: mount["source"] for mount in SERVICES_OF_FILE["grafana"]["volumes"]}
    assert mounts[provider["options"]["path"]] == str(GRAFANA / "dashboards")
    assert mounts["/etc/grafana/provisioning"] == str(GRAFANA / "provisioning")
