"""Notify: tells people what becomes of their request, each thing once. The composition root."""

from collections.abc import Sequence

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from pelangi.chassis.running import serve
from pelangi.chassis.service import Runtime, Service, Timer
from pelangi.chassis.settings import ServiceSettings, development_key, key_ring
from pelangi.contracts.sealing import contact_opener, visits_opener
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS
from services.notify.channels.smtp import SmtpChannel
from services.notify.handlers import HANDLERS
from services.notify.routes import routes
from services.notify.rows import EMAIL, VIA_KELURAHAN
from services.notify.sending import Limits, Sender
from services.notify.store import DUE
from services.notify.texts import Writer


class Settings(ServiceSettings):
    """mailbox_url: where a mail's Message-ID can be asked for; "" where nobody can be asked.

    desk_address: of a kelurahan's desk. office_address: who passes messages on for places outside the city.
    claim_limit_s: after a crash, how old a claim is when its mail is asked about; longer than the longest call (`Limits`).
    """

    model_config = SettingsConfigDict(env_prefix="NOTIFY_", hide_input_in_errors=True)

    name: str = "notify"
    port: int = 8004
    contact_keys: SecretStr = SecretStr(development_key("contact"))
    visit_keys: SecretStr = SecretStr(development_key("visits"))
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    mailbox_url: str = "http://127.0.0.1:8025"
    sender: str = "pelangi@pelangi.invalid"
    desk_address: str = "kelurahan-{village_code}@pelangi.invalid"
    office_address: str = "disdukcapil@pelangi.invalid"
    track_url: str = "http://127.0.0.1:8000/track/"
    claim_limit_s: float = Field(30.0, ge=20)


def make() -> Service:
    """The service, from the environment."""
    settings = Settings()
    mail = SmtpChannel(settings.smtp_host, settings.smtp_port, settings.sender, settings.mailbox_url)
    writer = Writer(settings.desk_address, settings.office_address, settings.track_url)

    def timers(runtime: Runtime) -> Sequence[Timer]:
        # WHATSAPP and SMS have no adapter yet: they go by the kelurahan
        channels = {EMAIL: mail, VIA_KELURAHAN: mail}
        sender = Sender(runtime.cases, runtime.clock, channels, writer, Limits(claim_s=settings.claim_limit_s))
        return [Timer("send", 1.0, sender.work)]

    return Service(
        settings=settings,
        handlers=HANDLERS,
        routes=routes,
        openers={
            REQUEST_DETAILS: contact_opener(key_ring(settings.contact_keys)),
            VISIT_DETAILS: visits_opener(key_ring(settings.visit_keys)),
        },
        timers=timers,
        indexes=[DUE],
    )


if __name__ == "__main__":
    serve(make)
