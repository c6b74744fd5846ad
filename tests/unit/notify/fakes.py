"""A clock that a test moves and a provider that does as it is told."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.notify.channels import Accepted, CannotAskNow, Message, Reject, Result, Retry, Unknown

from .facts import NOW


@dataclass
class FakeClock:
    """Business time and wall time, the same unless a test says otherwise."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Crash(BaseException):
    """The process ends here."""


ANSWERS: dict[str, Callable[[str], Result]] = {
    "accept": Accepted,
    "accept-unseen": lambda _: Unknown("TIMEOUT"),
    "lose": lambda _: Unknown("DROPPED"),
    "later": lambda _: Retry(0, "SMTP_4XX"),
    "never": lambda _: Reject("SMTP_5XX"),
}
KEEPS = {"accept", "accept-unseen", "accept-crash"}


@dataclass
class FakeChannel:
    """Follows `script`, one word per call, then accepts. `mails` counts what it keeps, by key."""

    script: list[str] = field(default_factory=list)
    askable: bool | None = True
    answers: bool = True
    mails: Counter[str] = field(default_factory=Counter)
    sent: list[Message] = field(default_factory=list)
    asked: int = 0
    during: Callable[[], None] = lambda: None
    during_ask: Callable[[str], None] = lambda _: None

    async def send(self, message: Message, idempotency_key: str) -> Result:
        word = self.script.pop(0) if self.script else "accept"
        self.during()
        if word in KEEPS:
            self.mails[idempotency_key] += 1
            self.sent.append(message)
        if word.endswith("crash"):
            raise Crash
        return ANSWERS[word](idempotency_key)

    async def find(self, idempotency_key: str) -> bool | None:
        self.asked += 1
        self.during_ask(idempotency_key)
        if not self.answers:
            raise CannotAskNow
        return self.mails[idempotency_key] > 0 if self.askable else None
