"""Stands in for a service: `standin.py serve NAME` answers its readiness on `<NAME>_PORT`; started by test_supervisor.

FAIL=NAME: that one ends with code 3. STUBBORN=NAME: that one ignores SIGTERM. Everything sees its own environment at `/env`.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = sys.argv[2]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"standin 1\n" if self.path == "/metrics" else json.dumps(dict(os.environ)).encode())

    def log_message(self, *_: object) -> None:
        pass


if os.environ.get("FAIL") == NAME:
    sys.exit(f"{NAME}: cannot start, says the stand-in")
if os.environ.get("STUBBORN") == NAME:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if NAME == "--play":
    time.sleep(1000)
time.sleep(0.2)
sys.stdout.write(f"{NAME} listens\n")
sys.stdout.flush()
ThreadingHTTPServer(("127.0.0.1", int(os.environ[f"{NAME.upper()}_PORT"])), Handler).serve_forever()
