"""The page for subscribers names what is declared, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from pelangi.contracts.topics import BY_NAME, TOPICS

PAGE = Path(__file__).parents[3] / "docs" / "subscribe.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z-]+\.v1)` \| `([a-z_]+)` \|", TEXT, re.MULTILINE))


def test_every_public_event_and_its_aggregate_is_in_the_table() -> None:
    assert {topic.name: topic.aggregate for topic in TOPICS if topic.public} == ROWS


def test_retention_and_partitions_are_the_declared_ones() -> None:
    for name in ROWS:
        assert int(BY_NAME[name].config["retention.ms"]) == 30 * 24 * 3600 * 1000
        assert BY_NAME[name].partitions == 12
    assert "**30 days**" in TEXT
    assert "the 12 partitions" in TEXT


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_link_leads_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()
