"""Intake: takes requests, answers with a receipt, knows how each stands, and closes it. The composition root."""

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from pelangi.chassis.clock import local_date
from pelangi.chassis.running import serve
from pelangi.chassis.service import Runtime, Service
from pelangi.chassis.settings import ServiceSettings, development_key, key_ring
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.sealing import DetailsKeys, visits_opener
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS
from services.intake.catalogue import due_on
from services.intake.handlers import HANDLERS
from services.intake.routes import routes
from services.intake.snapshot import render_details
from services.intake.store import INDEXES


class Settings(ServiceSettings):
    """deployment_secret: the UUID that request ids derive from; made once per deployment, never rotated."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", hide_input_in_errors=True)

    name: str = "intake"
    port: int = 8001
    deployment_secret: SecretStr = SecretStr("3d2c5d7e-90a4-4f0a-9b57-1971a5ec7e70")
    planning_keys: SecretStr = SecretStr(development_key("planning"))
    person_keys: SecretStr = SecretStr(development_key("person"))
    contact_keys: SecretStr = SecretStr(development_key("contact"))
    visit_keys: SecretStr = SecretStr(development_key("visits"))


async def _warm_up(runtime: Runtime) -> None:
    """Compute the holidays before the first request needs them: it takes a noticeable part of a second."""
    due_on(local_date(runtime.clock.now()), [ServiceKind.BIRTH_CERT])


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
        handlers=HANDLERS,
        routes=routes,
        openers={VISIT_DETAILS: visits_opener(key_ring(settings.visit_keys))},
        snapshots={REQUEST_DETAILS: lambda case: render_details(case, keys)},
        indexes=INDEXES,
        start=_warm_up,
        ready_without_kafka=True,
    )


if __name__ == "__main__":
    serve(make)
