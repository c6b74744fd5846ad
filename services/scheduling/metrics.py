"""Metrics of scheduling beside those of the chassis. Labels: never a category, a person or a kelurahan."""

from prometheus_client import Counter, Gauge, Histogram

PLACED = Counter("pelangi_visits_placed_total", "Requests that got a date", ["visit_kind"])
MOVED = Counter("pelangi_visits_moved_total", "Requests whose visit got another date", ["visit_kind"])
ENDED = Counter("pelangi_visits_ended_total", "Visits that took place or failed", ["outcome"])
WAITING = Gauge(
    "pelangi_requests_waiting_for_a_date",
    "Requests that need a visit and have none (of those that may get one now, at most 1000 are seen)",
)
DAY_FULL = Counter("pelangi_bookings_refused_total", "Bookings that a day refused because it was full by then")
NO_DAY = Counter("pelangi_requests_without_a_day_total", "Times no day of the horizon had room for a request")
CAPPED = Counter("pelangi_visits_capped_total", "Visits that need more than a day and got a whole one")
SWEPT = Counter("pelangi_placements_swept_total", "Placements freed by the sweeper because no case held or wanted them")
IN_REVIEW = Gauge("pelangi_requests_in_review", "Requests that wait for a human before another visit", ["reason"])
AMENDED = Counter(
    "pelangi_visits_amended_total", "Corrections that changed the items of a visit and not its date", ["visit_kind"]
)
PLANNER_SECONDS = Histogram(
    "pelangi_planner_seconds",
    "How long the planner's process took for a plan, or for proposals",
    ["question"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
PLANNER_CRASHES = Counter("pelangi_planner_crashes_total", "Deaths of the planner's process; the question was asked again")
PLANS_REFUSED = Counter("pelangi_plans_refused_total", "Plans that the validator refused; nothing of them was published")
TOLD = Counter("pelangi_visits_told_total", "Visits announced in the evening, by how many working days ahead", ["days_ahead"])
MISFITS = Gauge(
    "pelangi_team_days_left_alone",
    "Team-days of the last plan whose promised visits no longer fit the hours; nobody is planned there",
)
CAPACITY_SHORT = Counter("pelangi_capacity_short_total", "Requests for which no team has time before they are due")
PROMISES_BROKEN = Counter(
    "pelangi_promises_broken_total", "Requests whose announced visit the office could not make as promised", ["reason"]
)
HANDED_OVER = Counter(
    "pelangi_visits_handed_over_total", "Requests whose visit another team made within its promised hours", ["reason"]
)
SESSIONS_LOST = Counter(
    "pelangi_sessions_lost_total", "Sessions that were to move and found their new day full by then; the office opens another"
)
APPOINTMENTS = Counter("pelangi_appointments_total", "Places that the desk agreed with people by phone", ["outcome"])
WALK_INS = Counter("pelangi_walk_ins_total", "People who came to a visit without a date", ["outcome"])
UNPLANNED = Counter(
    "pelangi_visits_unplanned_total",
    "Visits placed by first fit because the planner had no answer the day accepted",
    ["why"],
)
RESUME_FAILURES = Counter(
    "pelangi_resume_failures_total", "Bookings under way that could not be finished yet; tried again", ["error"]
)
SPREAD_FAILURES = Counter("pelangi_spread_failures_total", "Visits whose members could not follow yet; tried again", ["error"])
