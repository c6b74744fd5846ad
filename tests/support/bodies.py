"""Bodies of `POST /v1/requests`. No real person."""

from typing import Any

KERAMAT = "19.71.04.1009"


def body(**changes: Any) -> dict[str, Any]:
    """A small accepted request for two services; top-level `changes` replace or add fields, None removes one."""
    plain = {
        "channel": "KELURAHAN_FORM",
        "requester": {"kind": "RT_RW", "name": "Ibu Contoh", "phone": "0812 0000 0000"},
        "persons": [{"name": "Kakek Contoh", "services": ["KTP_RECORDING", "KK_CHANGE"]}],
        "place": {"visit_kind": "HOME", "village_code": KERAMAT, "address": "Jalan Contoh 1"},
    }
    return {k: v for k, v in {**plain, **changes}.items() if v is not None}


def persons(count: int, services: list[str]) -> list[dict[str, Any]]:
    return [{"services": services} for _ in range(count)]
