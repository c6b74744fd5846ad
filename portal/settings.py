"""Where the portal listens and where it finds the services (environment, prefix `PORTAL_`)."""

from pydantic import HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class PortalSettings(BaseSettings):
    """Settings of one portal process; every one has a default that fits a run on one machine.

    timeout_seconds: how long a page waits for a service before it says so.
    cookie_key: hides what the confirmation page needs in a cookie; several processes behind one address must share it,
    otherwise a random one is made at start.
    """

    model_config = SettingsConfigDict(env_prefix="PORTAL_", extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = 8000
    intake_url: HttpUrl = HttpUrl("http://127.0.0.1:8001")
    scheduling_url: HttpUrl = HttpUrl("http://127.0.0.1:8002")
    issuance_url: HttpUrl = HttpUrl("http://127.0.0.1:8003")
    notify_url: HttpUrl = HttpUrl("http://127.0.0.1:8004")
    prometheus_url: HttpUrl = HttpUrl("http://127.0.0.1:9090")
    timeout_seconds: float = 10.0
    cookie_key: SecretStr | None = None

    def service_urls(self) -> dict[str, str]:
        """Base URL, without trailing slash, by the name used in `/api/{service}/`."""
        urls = {
            "intake": self.intake_url,
            "scheduling": self.scheduling_url,
            "issuance": self.issuance_url,
            "notify": self.notify_url,
        }
        return {name: str(url).rstrip("/") for name, url in urls.items()}
