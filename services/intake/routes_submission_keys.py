"""The public keys that other systems encrypt their submissions to."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from pelangi.contracts.submissions import SubmissionKeys

CACHED_S = 300


def submission_key_routes(keys: SubmissionKeys) -> APIRouter:
    """`GET /v1/submission-keys`."""
    router = APIRouter()

    @router.get("/v1/submission-keys")
    async def submission_keys() -> Response:
        """A JWK set, the key to use first. An answer `unknown_key` means: read it again."""
        return JSONResponse(keys.public(), headers={"Cache-Control": f"public, max-age={CACHED_S}"})

    return router
