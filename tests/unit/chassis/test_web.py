"""The HTTP edge: problems that say where and which and never repeat a value."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from pelangi.chassis import web
from pelangi.chassis.store import StoreError
from pelangi.chassis.web import Problem, idempotency_key, if_match, read_body, validate

KEY = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d60"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    born: date | None = None
    nik: Annotated[str, Field(pattern="^[0-9]{16}$")] | None = None


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    people: list[Inner]
    count: Annotated[int, Field(le=3)] = 0


def make_app() -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    async def ready() -> tuple[bool, dict[str, str]]:
        return False, {"database": "away"}

    app = web.make_app("test", lifespan=lifespan, asyncapi={"asyncapi": "3.0.0"}, ready=ready, live=lambda: True)

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        key = idempotency_key(request)
        body = await read_body(request, "secret")
        return JSONResponse({"key": key, "digest": body.digest})

    @app.post("/model")
    async def model(request: Request) -> Response:
        return JSONResponse(json.loads(validate(Model, (await read_body(request, "secret")).value).model_dump_json()))

    @app.put("/version")
    async def version(request: Request) -> Response:
        return JSONResponse({"version": if_match(request)})

    @app.get("/things/{id}")
    async def thing(id: UUID) -> Response:
        raise StoreError("mongodb://user:password@host: E11000 3201234567890123")

    @app.get("/bug")
    async def bug() -> Response:
        raise RuntimeError("3201234567890123")

    return app


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(make_app()), base_url="http://test") as client:
        yield client


async def post(http: httpx.AsyncClient, raw: bytes, path: str = "/echo", **headers: str) -> httpx.Response:
    every = {"content-type": "application/json", "idempotency-key": KEY, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await http.post(path, content=raw, headers=every)


def assert_problem(response: httpx.Response, status: int, code: str) -> list[dict[str, str]]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body.keys() == {"type", "title", "status", "detail", "errors"}
    assert (body["status"], body["type"]) == (status, f"https://pelangi.invalid/problems/{code}")
    errors: list[dict[str, str]] = body["errors"]
    assert all(e.keys() == {"pointer", "code", "detail"} for e in errors)
    return errors


@pytest.mark.parametrize(
    "type_", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/ld+json"]
)
async def test_json_by_any_of_its_names(http: httpx.AsyncClient, type_: str) -> None:
    assert (await post(http, b"{}", content_type=type_)).status_code == 200


@pytest.mark.parametrize("type_", ["", "text/plain", "application/x-www-form-urlencoded", "application/json, application/json"])
async def test_another_content_type_is_415(http: httpx.AsyncClient, type_: str) -> None:
    assert_problem(await post(http, b"{}", content_type=type_), 415, "content_type")


async def test_the_first_of_two_content_types_counts(http: httpx.AsyncClient) -> None:
    two = [("content-type", "text/plain"), ("content-type", "application/json"), ("idempotency-key", KEY)]
    assert_problem(await http.post("/echo", content=b"{}", headers=two), 415, "content_type")


async def test_a_megabyte_is_the_limit(http: httpx.AsyncClient) -> None:
    fits = b'{"a":"' + b"x" * (1_000_000 - 8) + b'"}'
    assert len(fits) == 1_000_000
    assert (await post(http, fits)).status_code == 200
    assert_problem(await post(http, fits + b" "), 413, "too_large")


async def test_a_body_without_length_is_limited_too(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    headers = {"content-type": "application/json", "idempotency-key": KEY}
    assert_problem(await http.post("/echo", content=chunks(), headers=headers), 413, "too_large")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5000,  # longer than Python reads
        b"[-" + b"1" * 301 + b"]",
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a": 1, "b": 2, "a": 1}',
        b'{"a": [{"b": {"c": 1, "\\u0063": 2}}]}',
        b"[" * 601 + b"]" * 601,
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda raw: repr(raw[:14]),
)
async def test_what_is_not_json_is_400(http: httpx.AsyncClient, raw: bytes) -> None:
    assert_problem(await post(http, raw), 400, "not_json")


@pytest.mark.parametrize("key", ["", "1", "not-a-uuid", KEY + "0", KEY[:-1]])
async def test_no_or_malformed_key_is_400(http: httpx.AsyncClient, key: str) -> None:
    assert_problem(await post(http, b"{}", idempotency_key=key), 400, "idempotency_key")


async def test_a_key_is_one_in_every_spelling(http: httpx.AsyncClient) -> None:
    for key in (KEY, KEY.upper(), f'"{KEY}"', f" {KEY} "):
        assert (await post(http, b"{}", idempotency_key=key)).json()["key"] == KEY


async def test_bodies_are_compared_as_json(http: httpx.AsyncClient) -> None:
    async def digest(raw: bytes) -> str:
        found: str = (await post(http, raw)).json()["digest"]
        return found

    plain = await digest(b'{"a":1,"b":{"c":[1,2],"d":"\xc3\xa9"}}')
    assert await digest(b' {\n"b": {"d": "\\u00e9", "c": [1, 2]}, "a": 1}') == plain
    assert await digest(b'{"a":1,"b":{"c":[2,1],"d":"\xc3\xa9"}}') != plain
    assert await digest(b'{"a":"1","b":{"c":[1,2],"d":"\xc3\xa9"}}') != plain


async def test_all_errors_at_once_with_pointers_and_without_values(http: httpx.AsyncClient) -> None:
    raw = b'{"people":[{"born":"31-02-1999"},{"nik":"320123456789012X","nama~/":1}],"count":99887766}'
    response = await post(http, raw, "/model")
    errors = assert_problem(response, 422, "invalid")
    assert {e["pointer"]: e["code"] for e in errors} == {
        "#/people/0/born": "date_from_datetime_parsing",
        "#/people/1/nik": "string_pattern_mismatch",
        "#/people/1/?": "extra_forbidden",
        "#/count": "less_than_equal",
    }
    assert not any(value in response.text for value in ("1999", "320123456789012X", "99887766"))


secret = st.text("zqxj0123456789", min_size=8, max_size=24).map("q".__add__)


@given(data=st.data())
async def test_no_error_ever_repeats_a_value(http: httpx.AsyncClient, data: Any) -> None:
    values = st.one_of(secret, st.lists(secret, max_size=2), st.fixed_dictionaries({"nik": secret, "born": secret}))
    body = data.draw(st.fixed_dictionaries({"people": values | st.lists(values, min_size=1, max_size=3), "count": values}))
    response = await post(http, json.dumps(body).encode(), "/model")
    assert response.status_code == 422, "a count is never a word"

    def leaves(node: Any) -> Any:
        if isinstance(node, str):
            yield node
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from leaves(child)

    assert not any(leaf in response.text for leaf in leaves(body))


async def test_nesting_that_json_reads_but_no_model_does_is_422(http: httpx.AsyncClient) -> None:
    assert_problem(await post(http, b'{"people":' + b"[" * 599 + b"]" * 599 + b"}", "/model"), 422, "invalid")


@pytest.mark.parametrize("tag", ['"7"', 'W/"7"', "7"])
async def test_if_match(http: httpx.AsyncClient, tag: str) -> None:
    assert (await http.put("/version", headers={"if-match": tag})).json() == {"version": 7}


async def test_if_match_missing_or_hopeless(http: httpx.AsyncClient) -> None:
    assert_problem(await http.put("/version"), 428, "if_match")
    for tag in ("*", '"x"', '""', '"-1"', '"٧"', '"999999999999"', '"7", "8"'):
        assert_problem(await http.put("/version", headers={"if-match": tag.encode()}), 412, "version")


async def test_unknown_path_method_and_parameter(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/nowhere"), 404, "not_found")
    assert_problem(await http.get("/echo"), 405, "http")
    assert (await http.get("/echo")).headers["allow"] == "POST"
    assert_problem(await http.get("/things/3201234567890123"), 404, "not_found")


async def test_faults_of_the_store_and_of_ours_say_nothing(http: httpx.AsyncClient) -> None:
    response = await http.get(f"/things/{KEY}")
    assert_problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "2"
    assert "3201234567890123" not in response.text
    response = await http.get("/bug")
    assert_problem(response, 500, "internal")
    assert "3201234567890123" not in response.text


async def test_what_every_service_answers(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz/live")).status_code == 200
    unready = await http.get("/healthz/ready")
    assert (unready.status_code, unready.json()) == (503, {"ready": False, "components": {"database": "away"}})
    assert "pelangi_http_request_seconds" in (await http.get("/metrics")).text
    assert (await http.get("/openapi.json")).json()["openapi"].startswith("3.1")
    assert (await http.get("/asyncapi.json")).json() == {"asyncapi": "3.0.0"}
    docs = (await http.get("/docs")).text
    assert "//cdn" not in docs
    assert "https://" not in docs.replace("https://fastapi.tiangolo.com", "")


def test_a_problem_needs_no_errors() -> None:
    assert json.loads(bytes(Problem(409, "state", "no").response().body))["errors"] == []


def test_a_field_name_that_could_be_a_person_is_not_repeated() -> None:
    class Any_(BaseModel):
        model_config = ConfigDict(extra="forbid")

    names = {"1971042902609001": 1, "Siti Aminah": 2, "nmae": 3, "a/b": 4}
    with pytest.raises(web.Problem) as refused:
        web.validate(Any_, names)
    assert sorted(e.pointer for e in refused.value.errors) == ["#/?", "#/?", "#/?", "#/nmae"]


def test_one_key_means_one_call() -> None:
    assert web.parse_json(b"{}", "secret", call="/a").digest != web.parse_json(b"{}", "secret", call="/b").digest
    assert web.parse_json(b"{}", "secret", call="/a").digest == web.parse_json(b" { } ", "secret", call="/a").digest
