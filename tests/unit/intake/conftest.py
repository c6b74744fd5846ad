"""Intake over HTTP, anew for every test."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.intake.rig import Intake, running_intake


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    async with running_intake() as rig:
        yield rig
