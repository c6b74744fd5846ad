"""The pages: home, the request form and its confirmation, tracking."""

from collections import defaultdict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from portal.body import request_body
from portal.edge import TooLarge, read_body
from portal.form import Form, TooMuch
from portal.intake import Away, Refused, progress_of, spelled, trace_of
from portal.pages import page, portal_of, villages_by_district, words_of
from portal.problems import Problem, in_words, whole_form
from portal.receipts import COOKIE, COOKIE_SECONDS, receipt_of
from portal.texts import LANGUAGES, Words


async def home(request: Request) -> Response:
    """Three doors: file a request, track one, read about the service."""
    return page(request, "home.html")


async def show_form(request: Request) -> Response:
    """An empty form with a key of its own."""
    return _form_page(request, Form.blank())


async def send_form(request: Request) -> Response:
    """Files what was typed, or shows the same form again: one person more or less, another language, what is wrong."""
    try:
        form = Form.parse(await read_body(request))
    except (TooLarge, TooMuch):
        problem = whole_form("too_large", words_of(request))
        return _form_page(request, Form.blank(), status=413, problems=[problem])
    action, _, argument = form.one("action").partition(":")
    if action == "add-person":
        form.add_person()
        return _form_page(request, form, focus=f"persons-{form.persons - 1}-name")
    if action == "remove-person":
        form.remove_person(int(argument) if argument.isdecimal() else -1)
        return _form_page(request, form, focus="add-person")
    if action == "language":
        return _form_page(request, form, words=Words(argument) if argument in LANGUAGES else None)
    return await _file(request, form)


async def _file(request: Request, form: Form) -> Response:
    words = words_of(request)
    key = form.key
    if key is None:
        form.renew_key()
        return _form_page(request, form, status=422, problems=[whole_form("no_key", words)])
    portal = portal_of(request)
    try:
        outcome = await portal.intake.file(request_body(form), key=key, trace=trace_of(request.headers.get("traceparent")))
    except Away:
        return _form_page(request, form, status=503, away=True)
    if isinstance(outcome, Refused):
        return _form_page(request, form, status=422, problems=in_words(outcome, words, form.persons))
    path = f"/request/done/{outcome.receipt_code}"
    response = RedirectResponse(path, status_code=303)
    if closed := portal.receipts.close(receipt_of(outcome.answer)):
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, closed, max_age=COOKIE_SECONDS, path=path, httponly=True, samesite="lax", secure=secure)
    return response


def _form_page(request: Request, form: Form, *, status: int = 200, words: Words | None = None, **context: Any) -> HTMLResponse:
    problems: list[Problem] = context.pop("problems", [])
    at_field: defaultdict[str, str] = defaultdict(str)
    for problem in problems:
        at_field[problem.field_id] = at_field[problem.field_id] or problem.text
    known = {"away": False, "focus": ""} | context
    return page(
        request,
        "form.html",
        status=status,
        words=words,
        form=form,
        problems=problems,
        errors=at_field,
        districts=villages_by_district(),
        **known,
    )


async def done(request: Request) -> Response:
    """The receipt of a request just filed, fit for paper; the details only where the form was sent from."""
    code = spelled(request.path_params["receipt_code"])
    if code is None:
        raise HTTPException(404)
    receipt = portal_of(request).receipts.open(request.cookies.get(COOKIE, ""), code=code)
    return page(request, "done.html", code=code, receipt=receipt)


async def track_entry(request: Request) -> Response:
    """Asks for a receipt code; a code in the query leads to its page."""
    typed = request.query_params.get("code")
    if typed is None:
        return page(request, "track.html", typed="", problem=None)
    code = spelled(typed)
    if code:
        return RedirectResponse(f"/track/{code}", status_code=303)
    if not typed.strip():
        return page(request, "track.html", status=422, typed="", problem=words_of(request).say("track.empty"))
    return page(request, "unknown_code.html", status=404, typed=typed)


async def track(request: Request) -> Response:
    """How far the request with this code is, in plain words and without a name."""
    code = spelled(request.path_params["receipt_code"])
    try:
        trace = trace_of(request.headers.get("traceparent"))
        found = await portal_of(request).intake.tracking(code, trace=trace) if code else None
    except Away:
        return trouble(request, "away", status=503)
    if code is None or found is None:
        return page(request, "unknown_code.html", status=404, typed=request.path_params["receipt_code"])
    return page(request, "tracked.html", code=code, progress=progress_of(found))


def trouble(request: Request, kind: str, *, status: int) -> HTMLResponse:
    """A friendly page for what cannot be shown."""
    return page(request, "trouble.html", status=status, kind=kind)
