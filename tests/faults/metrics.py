"""What a process says of itself, before and after a fault."""

import time
from collections.abc import Mapping
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]
STARTED = "process_start_time_seconds"
"""Another one after a process ended and was started again: how a crash shows."""


def scrape(url: str) -> dict[Sample, float]:
    """All samples of a process; none while it is away."""
    try:
        text = httpx.get(f"{url}/metrics", timeout=5).text
    except httpx.HTTPError:
        return {}
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(samples: Mapping[Sample, float], name: str, **labels: str) -> float:
    """The sum over those samples of a name that have these labels (others may have any value)."""
    wanted = set(labels.items())
    return sum(value for (sample, has), value in samples.items() if sample == name and wanted <= has)


def ready(url: str, component: str) -> bool:
    """Whether the gauge of a component is green."""
    return total(scrape(url), "pelangi_ready", component=component) == 1


def come_to_rest(*urls: str, quiet_s: float = 4.0, timeout_s: float = 120.0) -> None:
    """Until nothing is left to read for any of them: by the gauge of the lag, which is measured every two seconds."""
    known, since, deadline = -1.0, time.monotonic(), time.monotonic() + timeout_s
    while time.monotonic() - since < quiet_s:
        assert time.monotonic() < deadline, "still reading"
        time.sleep(0.2)
        samples = [scrape(url) for url in urls]
        read = sum(total(s, "pelangi_records_total") for s in samples)
        if read != known or any(total(s, "pelangi_consumer_lag_records") for s in samples):
            known, since = read, time.monotonic()


class Watch:
    """The metrics of one process from now on, in the life that it has now (a restarted one counts from zero)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._before = scrape(url)

    def moved(self, name: str, **labels: str) -> float:
        """By how much a metric is higher than at first."""
        return total(scrape(self._url), name, **labels) - total(self._before, name, **labels)

    def all_moved(self, *names: str, **labels: Any) -> dict[str, float]:
        """The same of several, for the report; fails the test where one of them stands still."""
        found = {name: self.moved(name, **labels) for name in names}
        assert all(found.values()), f"a fault that shows in no metric: {found}"
        return found

    @staticmethod
    def now(url: str, name: str, **labels: str) -> float:
        """The value of a metric as it is, for what should not have moved at all before."""
        return total(scrape(url), name, **labels)
