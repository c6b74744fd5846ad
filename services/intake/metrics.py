"""Metrics of intake beside those of the chassis. Labels: never a category, a person or a kelurahan."""

from prometheus_client import Counter

REQUESTS = Counter("pelangi_requests_total", "Requests received", ["visit_kind", "status"])
