"""`/api/{service}/…`: the services' own APIs under the portal's origin, up to 1 MB each way."""

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from portal.edge import BODY_LIMIT, TooLarge, read_body

METHODS = ["GET", "POST", "PUT"]
_NOT_PASSED = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "cookie",
    "set-cookie",
}
_OPEN = ("v1/", "openapi.json", "asyncapi.json")


class PassThrough:
    """Passes requests on to the services by name; whatever is not a service or not its API is 404."""

    def __init__(self, http: httpx.AsyncClient, urls: dict[str, str]) -> None:
        self._http = http
        self._urls = urls

    async def __call__(self, request: Request) -> Response:
        base = self._urls.get(request.path_params["service"])
        path = request.path_params["path"]
        if base is None or not path.startswith(_OPEN) or {".", ".."} & set(path.split("/")):
            return problem(404, "not_found")
        try:
            body = await read_body(request)
        except TooLarge:
            return problem(413, "too_large")
        url = httpx.URL(f"{base}/").copy_with(raw_path=_target(request, base))
        headers = _passed(request.headers.items(), request.headers.get("connection", ""))
        try:
            async with self._http.stream(request.method, url, content=body or None, headers=headers) as answer:
                content = await _read(answer)
        except TooLarge:
            return problem(502, "answer_too_large")
        except httpx.HTTPError:
            return problem(502, "unreachable")
        passed = _passed(answer.headers.multi_items(), answer.headers.get("connection", ""))
        response = Response(content, status_code=answer.status_code)
        for name, value in passed:
            response.headers.append(name, _under_portal(name, value, f"/api/{request.path_params['service']}"))
        return response


def _under_portal(name: str, value: str, prefix: str) -> str:
    """Where a service points to itself (RFC 8288 `Link`, `Location`), the caller must find it under the portal."""
    if name.lower() == "location" and value.startswith("/"):
        return prefix + value
    return value.replace("</", f"<{prefix}/") if name.lower() == "link" else value


def _target(request: Request, base: str) -> bytes:
    """Path and query exactly as they were asked for, under the service's own base path."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    _, _, _, rest = raw.split(b"?")[0].split(b"/", 3)
    query: bytes = request.scope["query_string"]
    return httpx.URL(base).raw_path.rstrip(b"/") + b"/" + rest + (b"?" + query if query else b"")


async def _read(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > BODY_LIMIT:
            raise TooLarge
    return bytes(content)


def _passed(headers: list[tuple[str, str]], connection: str) -> list[tuple[str, str]]:
    named = {name.strip().lower() for name in connection.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in _NOT_PASSED | named]


def problem(status: int, code: str) -> Response:
    """An RFC 9457 problem in the shape of the services."""
    body = {"type": f"https://pelangi.invalid/problems/{code}", "title": code, "status": status, "errors": []}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
