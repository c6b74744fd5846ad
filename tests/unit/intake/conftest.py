"""Intake over HTTP, and what is submitted to it, anew for every test."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.intake.rig import Intake, running_intake
from tests.unit.intake.submitting import rig  # noqa: F401 - a fixture


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    async with running_intake() as running:
        yield running
