"""Settings: named like the service, secrets never printed, production refused while nobody signs in."""

import pytest
from pydantic import ValidationError

from pelangi.chassis.settings import DeploymentSettings, ServiceSettings, development_key, key_ring
from services.intake.app import Settings


def test_everything_is_named_like_the_service() -> None:
    it = ServiceSettings(name="notify", port=8004)
    assert it.kafka_user == "notify"
    assert it.kafka_password.get_secret_value() == "notify-dev"
    assert (
        it.mongo_uri.get_secret_value()
        == "mongodb://notify:notify-dev@127.0.0.1:27017/notify?authSource=notify&replicaSet=secantus"
    )


def test_secrets_are_not_printed() -> None:
    it = Settings()
    text = f"{it!r} {it}"
    for secret in (
        it.kafka_password,
        it.mongo_uri,
        it.digest_secret,
        it.deployment_secret,
        it.planning_keys,
        it.dead_letter_keys,
        it.submission_keys,
    ):
        assert secret.get_secret_value() not in text


def test_a_service_has_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_PORT", "9001")
    monkeypatch.setenv("PORT", "9002")
    assert Settings().port == 9001


def test_a_wrong_secret_is_not_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_PORT", "very-secret")
    with pytest.raises(ValidationError) as failure:
        Settings()
    assert "very-secret" not in str(failure.value)


def test_production_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELANGI_ENV", "production")
    with pytest.raises(ValidationError, match="sign-in is not built yet"):
        DeploymentSettings()


def test_development_keys_differ_by_name() -> None:
    assert development_key("planning") == development_key("planning") != development_key("person")
    assert list(key_ring(Settings().planning_keys).keys) == ["dev-planning"]
