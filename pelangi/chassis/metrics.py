"""Every metric of the chassis, declared once. Labels are codes with few values: never an id, never a person."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()

_FAST = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGES = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600, 86400)

RECORDS = Counter("pelangi_records_total", "Records consumed", ["topic", "result"])
BATCH_SIZE = Histogram("pelangi_batch_records", "Records per consumed batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500))
BATCH_SECONDS = Histogram("pelangi_batch_seconds", "Time to handle one batch", buckets=_FAST)
LAG = Gauge("pelangi_consumer_lag_records", "Records not consumed yet", ["topic", "partition"])
COMMITS = Counter("pelangi_offset_commits_total", "Offset commits after a handled batch")
REBALANCES = Counter("pelangi_rebalances_total", "Partition assignments received")
REVIVALS = Counter("pelangi_consumer_revivals_total", "Times a dead consumer was started again")
RETRIES = Counter("pelangi_batch_retries_total", "Batches put back because infrastructure failed", ["error"])
DEAD_LETTERS = Counter("pelangi_dead_letters_total", "Records set aside", ["reason"])
EVENT_AGE = Histogram(
    "pelangi_event_age_seconds", "From ce_time to consumption, of the oldest record in a batch", ["type"], buckets=_AGES
)
COLLISIONS = Counter("pelangi_write_collisions_total", "Guarded writes that lost and were folded again")

OUTBOX_PENDING = Gauge("pelangi_outbox_pending_cases", "Cases with events not sent yet (at most 500 are seen at a time)")
OUTBOX_AGE = Gauge("pelangi_outbox_oldest_age_seconds", "Age of the oldest event not sent yet")
EVENTS_SENT = Counter("pelangi_events_sent_total", "Events sent by the relay", ["type"])
UNRENDERABLE = Counter("pelangi_unrenderable_cases_total", "Cases whose snapshot could not be rendered; they wait", ["error"])
LEADER = Gauge("pelangi_leader", "1 while this process holds the lease")
LEADERSHIP_FAILURES = Counter("pelangi_leadership_failures_total", "Times leading ended by a fault", ["error"])
TIMER_FAILURES = Counter("pelangi_timer_failures_total", "Timer runs that failed", ["timer", "error"])

HTTP = Histogram("pelangi_http_request_seconds", "HTTP requests", ["route", "method", "status"], buckets=_FAST)
DATABASE_COMMANDS = Counter("pelangi_database_commands_total", "Commands sent to the database", ["command", "result"])
READY = Gauge("pelangi_ready", "1 while the service can do its work", ["component"])
