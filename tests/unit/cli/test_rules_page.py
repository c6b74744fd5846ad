"""`pelangi rules`: the committed page is the generated one, and says every rule."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pelangi.cli.main import app
from pelangi.cli.rules_page import page
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.reasons import DeferralReason, RejectionReason
from services.intake import nik, remarks, requirements
from services.intake.nik import Vectors
from services.intake.tables import load
from services.scheduling.reference import Equipment

ROOT = Path(__file__).parents[3]
RUN = CliRunner()


def test_the_committed_page_is_the_generated_one() -> None:
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == page(), "make rules"


def test_every_rule_is_on_the_page() -> None:
    text = page()
    tables = (remarks.TABLE.errors, remarks.TABLE.warnings, requirements.TABLE.codes, requirements.TABLE.conditions)
    for code in (*ServiceKind, *DeferralReason, *RejectionReason, *(c for table in tables for c in table)):
        assert f"`{code}`" in text
    for what in (*Equipment, *nik.REGIONS.provinces.values(), *(v.nik for v in load(Vectors, "nik_vectors").vectors)):
        assert what in text


def test_check_finds_a_changed_page(tmp_path: Path) -> None:
    target = tmp_path / "rules.md"
    assert RUN.invoke(app, ["rules", "check", str(target)]).exit_code == 1
    assert RUN.invoke(app, ["rules", "export", str(target)]).exit_code == 0
    assert RUN.invoke(app, ["rules", "check", str(target)]).exit_code == 0
    target.write_text(target.read_text(encoding="utf-8").replace("| 14 |", "| 13 |", 1), encoding="utf-8")
    assert RUN.invoke(app, ["rules", "check", str(target)]).exit_code == 1


@pytest.mark.parametrize("part", ["rules check", "rules: setup"])
def test_make_knows_the_rules(part: str) -> None:
    assert part in (ROOT / "Makefile").read_text(encoding="utf-8")
