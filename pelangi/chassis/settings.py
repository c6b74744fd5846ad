"""Settings of a service: environment variables with the service's prefix. Secrets are never printed."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Literal, Self

from joserfc.jwk import ECKey
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pelangi.chassis.clock import SystemClock, parse_clock
from pelangi.contracts.encryption import KeyRing


class DeploymentSettings(BaseSettings):
    """What is the same for every process of a deployment (prefix `PELANGI_`)."""

    model_config = SettingsConfigDict(env_prefix="PELANGI_")

    env: Literal["development", "production"] = "development"
    clock: str = ""
    log_level: str = "INFO"

    def make_clock(self) -> SystemClock:
        """The clock all business dates come from."""
        return parse_clock(self.clock)

    @model_validator(mode="after")
    def _not_yet_in_production(self) -> Self:
        """Nobody signs in yet: every service trusts its caller, so it must not face a city (CONTRACTS.md §4)."""
        if self.env == "production":
            raise ValueError("PELANGI_ENV=production is refused: sign-in is not built yet")
        return self


def development_key(name: str) -> str:
    """A key ring with one key that everybody can know; production refuses it. `{kid: base64url}` as JSON."""
    raw = hashlib.sha256(f"pelangi development key {name}".encode()).digest()
    return json.dumps({f"dev-{name}": urlsafe_b64encode(raw).decode().rstrip("=")})


def development_key_pair(name: str) -> str:
    """A JWK set (JSON) with one P-256 key pair that everybody can know; production refuses it."""
    pair = ECKey.derive_key(f"pelangi development key pair {name}", "P-256", {"kid": f"dev-{name}"})
    return json.dumps({"keys": [pair.as_dict(private=True)]})


def key_ring(secret: SecretStr) -> KeyRing:
    """The key ring in a setting."""
    return KeyRing.of(json.loads(secret.get_secret_value()))


class ServiceSettings(BaseSettings):
    """What every service needs; a service derives its own with its prefix and its defaults.

    crash_point: name of the point at which the process ends itself, for fault tests (see `crash`).
    sabotage: a fault to arm inside the service, so that tests can show that the checker finds it.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    name: str
    host: str = "127.0.0.1"
    port: int
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    mongo_uri: SecretStr = SecretStr("")
    mongo_driver: Literal["motor", "pymongo"] = "motor"
    digest_secret: SecretStr = SecretStr("pelangi development digest secret")
    dead_letter_keys: SecretStr = SecretStr("")
    batch_limit_s: float = Field(60.0, description="a batch older than this makes the service not live")
    idle_limit_s: float = Field(20.0, description="a consumer that asked for no records for so long is started again")
    lease_ttl_s: float = 5.0
    crash_point: str = ""
    sabotage: str = ""

    @model_validator(mode="after")
    def _defaults_of_this_service(self) -> Self:
        """One Kafka user, one database and one database user per service, all named like it (CONTRACTS.md §5)."""
        n = self.name
        self.kafka_user = self.kafka_user or n
        if not self.kafka_password.get_secret_value():
            self.kafka_password = SecretStr(f"{self.kafka_user}-dev")
        if not self.mongo_uri.get_secret_value():
            self.mongo_uri = SecretStr(f"mongodb://{n}:{n}-dev@127.0.0.1:27017/{n}?authSource={n}&replicaSet=secantus")
        if not self.dead_letter_keys.get_secret_value():
            self.dead_letter_keys = SecretStr(development_key(f"{n}.dlq"))
        return self
