"""Metrics of notify beside those of the chassis. Labels: codes only."""

from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from services.notify.model import Case

MESSAGES = Counter("pelangi_messages_total", "Messages that came into a state", ["purpose", "channel", "state"])
DUE = Gauge("pelangi_messages_due_cases", "Cases with a message to work on now (at most one pass is seen at a time)")
OLDEST_DUE = Gauge("pelangi_messages_oldest_due_seconds", "Age of the message that has been due the longest")
PUT_OFF = Counter("pelangi_messages_put_off_total", "Times that a case was put off, because a bug of ours stands in its way")
SEND_SECONDS = Histogram(
    "pelangi_message_send_seconds",
    "Time of one call to a provider",
    ["channel", "result"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
)


def count_changes(before: Case, after: Case) -> None:
    """Count every message that came into another state between the two."""
    old = before.get("messages", {})
    for key, row in after.get("messages", {}).items():
        if key not in old or old[key]["state"] != row["state"]:
            MESSAGES.labels(row["purpose"], row.get("channel", "none"), row["state"]).inc()


def observe_due(found: list[Case], wall: datetime) -> None:
    """Set the gauges from what a pass found. A row due at once carries no time: its case's last change is the age."""
    DUE.set(len(found))
    ages = [(wall - max(case["due_since"], case["changed_at"])).total_seconds() for case in found]
    OLDEST_DUE.set(max(ages, default=0.0))
