"""The one source of the dashboard: `python deploy/grafana/dashboard.py` writes the JSON that Grafana and /ops read.

Titles are `Indonesian / English`; the page /ops shows the half of its reader. A panel's number never changes: /ops asks by it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PROJECT = Path(__file__).resolve().parents[2]
# twice the same: Grafana's is mounted into its container, the portal's is packaged with the portal
COPIES = (PROJECT / "deploy" / "grafana" / "dashboards" / "pelangi.json", PROJECT / "portal" / "data" / "dashboard.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
LEADING = "and on (job, instance) pelangi_leader == 1"
"""Only the leader's: a replica that once led keeps the last figure it set."""


@dataclass(frozen=True)
class Spec:
    """A panel: its lines are (query, legend). Units are Grafana's: short, s, reqps, percentunit, cpm."""

    number: int
    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    note: str = ""


PANELS = (
    Spec(
        1,
        "Permohonan menurut status / Requests by state",
        "short",
        ((f"sum by (status) (pelangi_requests_in_state {LEADING})", "{{status}}"),),
        "Yang tertutup: hanya yang masuk dalam 30 hari terakhir. / Closed ones: only those received in the last 30 days.",
    ),
    Spec(
        2,
        "Permohonan masuk per menit / Requests received per minute",
        "cpm",
        (("60 * sum by (visit_kind) (rate(pelangi_requests_total[$__rate_interval]))", "{{visit_kind}}"),),
    ),
    Spec(
        3,
        "Kunjungan selesai per menit / Visits ended per minute",
        "cpm",
        (("60 * sum by (outcome) (rate(pelangi_visits_ended_total[$__rate_interval]))", "{{outcome}}"),),
    ),
    Spec(
        4,
        "Menunggu tanggal atau petugas / Waiting for a date or a human",
        "short",
        (
            (f"sum(pelangi_requests_waiting_for_a_date {LEADING})", "menunggu tanggal / waiting for a date"),
            (f"sum by (reason) (pelangi_requests_in_review {LEADING})", "{{reason}}"),
        ),
    ),
    Spec(
        5,
        "Dokumen per menit / Documents per minute",
        "cpm",
        (("60 * sum by (status) (rate(pelangi_document_transitions_total[$__rate_interval]))", "{{status}}"),),
    ),
    Spec(
        6,
        "Layanan selesai per menit / Items closed per minute",
        "cpm",
        (("60 * sum by (outcome) (rate(pelangi_items_closed_total[$__rate_interval]))", "{{outcome}}"),),
    ),
    Spec(
        7,
        "Pesan menurut keadaan, per menit / Messages by state, per minute",
        "cpm",
        (("60 * sum by (state) (rate(pelangi_messages_total[$__rate_interval]))", "{{state}}"),),
    ),
    Spec(
        8,
        "Pesan yang menunggu / Messages waiting",
        "short",
        (
            (f"sum(pelangi_messages_due_cases {LEADING})", "harus dikirim / due"),
            ("sum(rate(pelangi_messages_put_off_total[$__rate_interval])) * 60", "ditunda karena kesalahan / put off by a fault"),
        ),
    ),
    Spec(
        9,
        "Umur pesan tertua yang menunggu / Age of the oldest message waiting",
        "s",
        ((f"max(pelangi_messages_oldest_due_seconds {LEADING})", "umur / age"),),
    ),
    Spec(
        10,
        "Umur peristiwa saat dibaca (95%) / Event age when read (95 %)",
        "s",
        (("job:pelangi_event_age_seconds:p95_5m", "{{job}}"),),
    ),
    Spec(
        11,
        "Catatan belum dibaca / Consumer lag, records",
        "short",
        (("job:pelangi_consumer_lag_records:sum", "{{job}}"),),
    ),
    Spec(
        12,
        "Catatan dibaca dan peristiwa dikirim per detik / Records read and events sent per second",
        "reqps",
        (
            ("job:pelangi_records:rate5m", "{{job}}: dibaca / {{job}}: read"),
            ("job:pelangi_events_sent:rate5m", "{{job}}: dikirim / {{job}}: sent"),
        ),
    ),
    Spec(
        13,
        "Umur kotak keluar / Outbox age",
        "s",
        (("job:pelangi_outbox_oldest_age_seconds:max", "{{job}}"),),
    ),
    Spec(
        14,
        "Kasus di kotak keluar / Cases in the outbox",
        "short",
        ((f"max by (job) (pelangi_outbox_pending_cases {LEADING})", "{{job}}"),),
    ),
    Spec(
        15,
        "Catatan yang disisihkan sejak mulai / Records set aside since start",
        "short",
        (("sum by (job, reason) (pelangi_dead_letters_total)", "{{job}} {{reason}}"),),
        "Kosong: tidak ada yang disisihkan. / Empty: nothing was set aside.",
    ),
    Spec(
        16,
        "Permintaan HTTP per detik / HTTP requests per second",
        "reqps",
        (("sum by (job) (rate(pelangi_http_request_seconds_count[$__rate_interval]))", "{{job}}"),),
    ),
    Spec(
        17,
        "Lama jawaban HTTP (99%) / HTTP latency (99 %)",
        "s",
        (("job:pelangi_http_request_seconds:p99_5m", "{{job}}"),),
    ),
    Spec(
        18,
        "Jawaban HTTP 5xx / HTTP 5xx answers",
        "percentunit",
        (("job:pelangi_http_errors:ratio_rate5m", "{{job}}"),),
    ),
    Spec(
        19,
        "Proses yang memimpin / Processes that lead",
        "short",
        (("sum by (job) (pelangi_leader)", "{{job}}"),),
        "Selalu 1 untuk setiap layanan. / Always 1 for each service.",
    ),
    Spec(
        20,
        "Pekerjaan berkala yang gagal, 5 menit / Timers failing, 5 minutes",
        "short",
        (("job:pelangi_timer_failures:increase5m", "{{job}}"),),
    ),
    Spec(
        21,
        "Siap bekerja / Ready",
        "short",
        (("min by (job, component) (pelangi_ready)", "{{job}} {{component}}"),),
        "1: siap. / 1: ready.",
    ),
)


def panel(spec: Spec) -> Panel:
    """One panel as Grafana's own types know it."""
    legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    built = Panel().id(spec.number).title(spec.title).unit(spec.unit).min(0).datasource(SOURCE).legend(legend).span(8).height(8)
    if spec.note:
        built = built.description(spec.note)
    for at, (query, words) in enumerate(spec.lines):
        built = built.with_target(Dataquery().expr(query).legend_format(words).ref_id("ABC"[at]).range().datasource(SOURCE))
    return built


def text() -> str:
    """The JSON of the whole dashboard."""
    dashboard = Dashboard("Pelangi").uid("pelangi").readonly().refresh("10s").time("now-1h", "now").timezone("Asia/Jakarta")
    for spec in PANELS:
        dashboard = dashboard.with_panel(panel(spec))
    return json.dumps(dashboard.build(), cls=JSONEncoder, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    for copy in COPIES:
        copy.write_text(text(), encoding="utf-8")
