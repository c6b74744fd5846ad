"""The 42 kelurahan of the city, from `data/pangkalpinang.csv` (sources and licence beside it)."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Village:
    """A kelurahan: dotted Kemendagri code, names, and the centre of its area in degrees (WGS 84)."""

    code: str
    name: str
    district_code: str
    district_name: str
    lat: float
    lon: float


@cache
def villages() -> dict[str, Village]:
    """All kelurahan of the city by code, in the order of the codes."""
    text = (files("pelangi.contracts") / "data" / "pangkalpinang.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        row["village_code"]: Village(
            code=row["village_code"],
            name=row["village_name"],
            district_code=row["district_code"],
            district_name=row["district_name"],
            lat=float(row["lat"]),
            lon=float(row["lon"]),
        )
        for row in rows
    }
