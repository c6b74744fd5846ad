"""What the checker may read beside public topics and HTTP: stores and restricted topics, as the services' settings say."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pelangi.cli.common import load
from pelangi.contracts.topics import INTAKE, SCHEDULING, SERVICES

if TYPE_CHECKING:
    from pelangi.audit.sealed import AuditKeys


@dataclass(frozen=True)
class Access:
    """stores: URI by service. keys: None where the restricted topics are not to be read. if_readable: see `AuditOptions`."""

    stores: dict[str, str] = field(default_factory=dict)
    keys: "AuditKeys | None" = None
    user: str = "admin"
    password: str = ""
    if_readable: bool = False


def access(*, stores: bool | None, restricted: bool | None, local: bool, database_port: int | None = None) -> Access:
    """What was asked for; with None, whatever the environment or the run on this machine (`local`) gives access to.

    The addresses of the stores and the keys are those in the environment of the services (`INTAKE_MONGO_URI`,
    `INTAKE_PLANNING_KEYS`, …), else the development ones. database_port: of a local run on another port.
    """
    from pelangi.chassis.provision import development_password

    user = os.environ.get("PELANGI_KAFKA_ADMIN_USER", "admin")
    named = all(f"{service.upper()}_MONGO_URI" in os.environ for service in SERVICES)
    with_stores = (local or named) if stores is None else stores
    with_restricted = (local or "PELANGI_KAFKA_ADMIN_USER" in os.environ) if restricted is None else restricted
    settings = {service: load(service).settings for service in SERVICES} if with_stores or with_restricted else {}
    uris = {service: made.mongo_uri.get_secret_value() for service, made in settings.items()}
    return Access(
        stores=(uris if database_port is None else _local_uris(database_port)) if with_stores else {},
        keys=_keys(cast(Any, settings)) if with_restricted else None,
        user=user,
        password=os.environ.get("PELANGI_KAFKA_ADMIN_PASSWORD") or development_password(user),
        if_readable=stores is None and restricted is None,
    )


def _local_uris(port: int) -> dict[str, str]:
    from pathlib import Path

    from pelangi.local.database import Database

    database = Database(Path(), port)
    return {service: database.uri(service) for service in SERVICES}


def _keys(settings: dict[str, Any]) -> "AuditKeys":
    """Intake closes every part of its snapshots, so it holds their keys; scheduling closes those of visits."""
    from pelangi.audit.sealed import AuditKeys
    from pelangi.chassis.settings import key_ring

    intake = settings[INTAKE]
    return AuditKeys(
        planning=key_ring(intake.planning_keys),
        person=key_ring(intake.person_keys),
        contact=key_ring(intake.contact_keys),
        visits=key_ring(settings[SCHEDULING].visit_keys),
        dead_letters={service: key_ring(made.dead_letter_keys) for service, made in settings.items()},
    )
