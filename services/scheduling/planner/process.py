"""The planner's process: reads questions from its standard input and writes answers, until the service that started it is gone.

Each message is eight bytes of length and a pickle; the service is its only partner, over a pipe that nobody else holds.
"""

import pickle
import signal
import sys
from typing import BinaryIO

from services.scheduling.planner.engine import warmup
from services.scheduling.planner.questions import Question, solve

LENGTH = 8


def receive(source: BinaryIO) -> object | None:
    """The next message; None at the end."""
    head = source.read(LENGTH)
    return unpack(source.read(int.from_bytes(head, "big"))) if len(head) == LENGTH else None


def unpack(body: bytes) -> object:
    """A message from what follows its length."""
    return pickle.loads(body)  # noqa: S301 - from our own process, see above


def pack(message: object) -> bytes:
    """A message as it is sent."""
    body = pickle.dumps(message)
    return len(body).to_bytes(LENGTH, "big") + body


def main() -> None:
    """Compile, say so, and answer. Ctrl-C is for the service, which then closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    warmup()
    answer: object = "ready"
    while True:
        sink.write(pack(answer))
        sink.flush()
        question = receive(source)
        if not isinstance(question, Question):
            return
        try:
            answer = solve(question)
        except Exception as error:  # noqa: BLE001 - raised again where the question came from
            answer = error


if __name__ == "__main__":
    main()
