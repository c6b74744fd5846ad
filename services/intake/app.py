"""Intake: takes requests, answers with a receipt, knows how each stands, and closes it. The composition root."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from fastapi import APIRouter
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from pelangi.chassis.case import Handler
from pelangi.chassis.clock import local_date
from pelangi.chassis.decode import RecordDecoder
from pelangi.chassis.running import serve
from pelangi.chassis.service import Runtime, Service, Timer
from pelangi.chassis.settings import ServiceSettings, development_key, development_key_pair, key_ring
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.sealing import DetailsKeys, visits_opener
from pelangi.contracts.submissions import SubmissionKeys
from pelangi.contracts.topics import REQUEST_DETAILS, REQUEST_SUBMITTED, VISIT_DETAILS
from services.intake.catalogue import due_on
from services.intake.duplicates import Joiner
from services.intake.gauges import StateGauge
from services.intake.handlers import HANDLERS
from services.intake.matching import keyed
from services.intake.model import Case
from services.intake.routes import routes
from services.intake.routes_submission_keys import submission_key_routes
from services.intake.snapshot import render_details
from services.intake.store import INDEXES
from services.intake.submissions import decoder as submission_decoder
from services.intake.submissions import request_submitted


class Settings(ServiceSettings):
    """deployment_secret: the UUID that request ids derive from; made once per deployment, never rotated.

    submission_keys: a JWK set of the P-256 key pairs that submissions are encrypted to, newest first.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_", hide_input_in_errors=True)

    name: str = "intake"
    port: int = 8001
    deployment_secret: SecretStr = SecretStr("3d2c5d7e-90a4-4f0a-9b57-1971a5ec7e70")
    planning_keys: SecretStr = SecretStr(development_key("planning"))
    person_keys: SecretStr = SecretStr(development_key("person"))
    contact_keys: SecretStr = SecretStr(development_key("contact"))
    visit_keys: SecretStr = SecretStr(development_key("visits"))
    submission_keys: SecretStr = SecretStr(development_key_pair("submissions"))


async def _warm_up(runtime: Runtime) -> None:
    """Compute the holidays before the first request needs them: it takes a noticeable part of a second."""
    due_on(local_date(runtime.clock.now()), [ServiceKind.BIRTH_CERT])


def _submission_keys(settings: Settings) -> SubmissionKeys:
    return SubmissionKeys.of(settings.submission_keys.get_secret_value())


def _submission_decoder(settings: Settings) -> RecordDecoder:
    namespace = UUID(settings.deployment_secret.get_secret_value())
    return submission_decoder(namespace, settings.digest_secret.get_secret_value(), _submission_keys(settings))


def _submission_handler(settings: Settings) -> Handler[Case]:
    """What is filed by others is found by possible duplicates, too."""
    secret = settings.digest_secret.get_secret_value()
    return lambda case, fact, now: keyed(request_submitted(case, fact, now), secret)


def _timers(runtime: Runtime) -> Sequence[Timer]:
    states = StateGauge(runtime.cases, runtime.clock)
    return (Timer("join-duplicates", 2.0, Joiner.of(runtime).all, woken=False), Timer("states", 5.0, states, woken=False))


def _routes(runtime: Runtime) -> APIRouter:
    router = routes(runtime)
    router.include_router(submission_key_routes(_submission_keys(cast(Settings, runtime.settings))))
    return router


def make() -> Service:
    """The service, from the environment."""
    settings = Settings()
    keys = DetailsKeys(
        planning=key_ring(settings.planning_keys),
        person=key_ring(settings.person_keys),
        contact=key_ring(settings.contact_keys),
    )
    return Service(
        settings=settings,
        handlers={**HANDLERS, REQUEST_SUBMITTED: _submission_handler(settings)},
        routes=_routes,
        openers={VISIT_DETAILS: visits_opener(key_ring(settings.visit_keys))},
        decoders={REQUEST_SUBMITTED: _submission_decoder(settings)},
        snapshots={REQUEST_DETAILS: lambda case: render_details(case, keys)},
        timers=_timers,
        indexes=INDEXES,
        start=_warm_up,
        ready_without_kafka=True,
    )


if __name__ == "__main__":
    serve(make)
