"""The whole chain on PyMongo's own asyncio client: what makes the swap of the driver a change of one default."""

from pathlib import Path

import pytest

from pelangi.local.private import PrivateStack
from tests.support.city import SERVICES, simulate

REQUESTS = 15


@pytest.fixture
def drivers() -> dict[str, str]:
    return {f"{service.upper()}_MONGO_DRIVER": "pymongo" for service in SERVICES}


def test_every_request_reaches_its_lawful_end(tmp_path: Path, drivers: dict[str, str]) -> None:
    with PrivateStack(tmp_path, env=drivers) as stack:
        for service in SERVICES:
            seen = Path(f"/proc/{stack.pid(service)}/environ").read_bytes().split(b"\0")
            assert f"{service.upper()}_MONGO_DRIVER=pymongo".encode() in seen
        code, output = simulate(stack, "--requests", str(REQUESTS), "--seed", "5", "--check")
    assert code == 0, output
    assert f"{REQUESTS} accepted" in output
    assert "nothing lost, doubled, differing or stranded" in output
