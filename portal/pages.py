"""From a request to a page: which language, which template, and what every page knows."""

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from pelangi.contracts.regions import Village, villages
from portal.intake import Intake
from portal.receipts import ReceiptBox
from portal.texts import LANGUAGES, Words

LANGUAGE_COOKIE = "lang"
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Portal:
    """What the pages of one application share."""

    intake: Intake
    receipts: ReceiptBox


def portal_of(request: Request) -> Portal:
    """The parts of the application this request came to."""
    return cast(Portal, request.app.state.portal)


@cache
def templates() -> Environment:
    """The templates; a misspelt name is an error, not an empty place."""
    return Environment(
        loader=PackageLoader("portal"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def words_of(request: Request) -> Words:
    """The language this person reads: asked for now, else chosen before, else Indonesian."""
    asked = request.query_params.get("lang", ""), request.cookies.get(LANGUAGE_COOKIE, "")
    return Words(next((language for language in asked if language in LANGUAGES), LANGUAGES[0]))


def page(request: Request, template: str, *, status: int = 200, words: Words | None = None, **context: Any) -> HTMLResponse:
    """The page in the language of its reader; a language chosen now is kept in a cookie."""
    speak = words or words_of(request)
    known = {"w": speak, "t": speak.say, "other": speak.other, "path": request.url.path}
    text = templates().get_template(template).render(known | context)
    response = HTMLResponse(text, status_code=status, headers={"Content-Language": speak.language})
    if words or "lang" in request.query_params:
        response.set_cookie(LANGUAGE_COOKIE, speak.language, max_age=_YEAR, httponly=True, samesite="lax")
    return response


@cache
def villages_by_district() -> list[tuple[str, list[Village]]]:
    """The kelurahan of each kecamatan, by name."""
    groups: dict[str, list[Village]] = {}
    for village in villages().values():
        groups.setdefault(village.district_name, []).append(village)
    return [(name, sorted(group, key=lambda village: village.name)) for name, group in sorted(groups.items())]
