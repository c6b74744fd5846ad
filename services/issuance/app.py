"""Issuance: what becomes of each item, from the visit to the document in the person's hand. The composition root."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from pelangi.chassis.case import Fact, Handler
from pelangi.chassis.running import serve
from pelangi.chassis.service import Runtime, Service
from pelangi.chassis.settings import ServiceSettings, development_key, key_ring
from pelangi.contracts.sealing import identity_opener, visits_opener
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS
from services.issuance.blanks import BLANKS_COLLECTION, Ledger
from services.issuance.handlers import HANDLERS
from services.issuance.metrics import count
from services.issuance.opening import opening
from services.issuance.routes import routes
from services.issuance.settling import settling
from services.issuance.store import INDEXES


class Settings(ServiceSettings):
    """person_keys, visit_keys: what opens issuance's part of a request's snapshot, and the snapshots of its visits."""

    model_config = SettingsConfigDict(env_prefix="ISSUANCE_", hide_input_in_errors=True)

    name: str = "issuance"
    port: int = 8003
    person_keys: SecretStr = SecretStr(development_key("person"))
    visit_keys: SecretStr = SecretStr(development_key("visits"))


def counted(handler: Handler[Any]) -> Handler[Any]:
    """The handler, with what it closes counted: handlers themselves are pure."""

    def handle(case: Any, fact: Fact[Any], now: datetime) -> Any:
        after = handler(case, fact, now)
        count(case, after)
        return after

    return handle


async def open_ledger(runtime: Runtime) -> None:
    """A system that never counted its blanks begins with those of the data file."""
    await Ledger(runtime.store.collection(BLANKS_COLLECTION)).read()


def make() -> Service:
    """The service, from the environment."""
    settings = Settings()
    openers: Mapping[str, Any] = {
        REQUEST_DETAILS: identity_opener(key_ring(settings.person_keys)),
        VISIT_DETAILS: visits_opener(key_ring(settings.visit_keys)),
    }
    return Service(
        settings=settings,
        handlers={topic: counted(handler) for topic, handler in HANDLERS.items()},
        routes=routes,
        openers=openers,
        timers=lambda runtime: (opening(runtime), settling(runtime)),
        start=open_ledger,
        indexes=INDEXES,
    )


if __name__ == "__main__":
    serve(make)
