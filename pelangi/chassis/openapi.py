"""What every service's OpenAPI says beside its own operations: that each may answer with a problem (RFC 9457)."""

from typing import Any

from fastapi import FastAPI

PROBLEM = "application/problem+json"

_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. `errors` name where and which rule, never the value.",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "detail")},
            },
        },
    },
}


def document_problems(app: FastAPI) -> None:
    """Let the app's OpenAPI say that every operation may answer with a problem, instead of FastAPI's own 422."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas["Problem"] = _PROBLEM_SCHEMA
            content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            for operation in (o for path in document.get("paths", {}).values() for o in path.values()):
                operation["responses"].pop("422", None)
                operation["responses"]["4XX"] = {"description": "A problem: what is wrong, and where.", "content": content}
                operation["responses"]["503"] = {"description": "Try again with the same key.", "content": content}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way of extending its OpenAPI
