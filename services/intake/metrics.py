"""Metrics of intake beside those of the chassis. Labels: never a category, a person or a kelurahan."""

from prometheus_client import Counter

REQUESTS = Counter("pelangi_requests_total", "Requests received", ["visit_kind", "status"])
SUBMISSIONS = Counter("pelangi_submissions_total", "Submissions over Kafka answered", ["outcome"])
