"""What the public may know of a code: the coarse form that public events carry (CONTRACTS.md §3)."""

from pelangi.contracts.codes import PublicRequesterKind, RequesterKind, ServiceKind, VisitKind

PUBLIC_PLACE_KINDS = frozenset({VisitKind.COMMUNITY_POINT, VisitKind.DISASTER_POST})
"""Visits at a place open to everyone: only these show a kelurahan, a window and a place in public (CONTRACTS.md §3)."""

_INSTITUTIONS = {
    RequesterKind.PRISON,
    RequesterKind.HOSPITAL,
    RequesterKind.CARE_HOME,
    RequesterKind.PUSKESMAS,
    RequesterKind.SCHOOL,
}


def public_requester_kind(kind: RequesterKind) -> PublicRequesterKind:
    """The requester as a public event says it."""
    return PublicRequesterKind.INSTITUTION if kind in _INSTITUTIONS else PublicRequesterKind(kind.value)


def public_service_kind(kind: ServiceKind) -> ServiceKind:
    """The service as a public event says it: data collection of vulnerable residents is shown as a consultation."""
    return ServiceKind.CONSULTATION if kind is ServiceKind.VULNERABLE_DATA_COLLECTION else kind


CITY_CODE = "19.71"
"""Kemendagri code of Kota Pangkalpinang."""


def public_area_code(kind: VisitKind, village_code: str) -> str:
    """The kelurahan for places open to everyone, else only the city (CONTRACTS.md §3)."""
    return village_code if kind in PUBLIC_PLACE_KINDS else CITY_CODE
