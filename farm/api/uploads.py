"""The API's routes about files that people upload."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from actors.pictures.reference import MAX_BYTES
from farm.api.bodies import Project
from farm.api.needs import access_of, needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.upload_views import UploadView
from farm.service.uploads import UploadService
from storage.errors import RequestError

Json = dict[str, Any]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[
    str | None,
    Query(
        pattern=r"^[^\x00-\x1f\x7f-\x9f/\\]+$",
        max_length=200,
        description="What people call it. The name of a table ends in .csv.",
    ),
]
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string"}}}, "required": True}


def upload_routes(uploads: UploadService) -> APIRouter:
    routes = api_router("files")

    @routes.get("/files", **shows(list[UploadView]))
    @needs(Deed.LOOK)
    def all_files(project: Project = "default") -> list[Json]:
        """The files of a project, the newest first."""
        return uploads.all(project)

    @routes.post(
        "/files",
        responses={201: {"description": "It was not there yet."}},
        openapi_extra={"requestBody": _BODY},
        **shows(UploadView),
    )
    @needs(Deed.SUBMIT, takes_bytes=True)
    async def add(
        request: Request, response: Response, project: Project = "default", name: FileName = None
    ) -> Json:
        """Keeps the body, a picture or a CSV table, under the SHA-256 of its bytes. The same file
        again is kept once.
        """
        data = await _body(request)
        answer, is_new = await run_in_threadpool(uploads.add, project, data, name)
        response.status_code = 201 if is_new else 200
        return answer

    @routes.get("/files/{digest}", **shows(UploadView))
    @needs(Deed.LOOK)
    def show(digest: Digest, project: Project = "default") -> Json:
        return uploads.show(project, digest)

    @routes.post("/files/{digest}/remove", **shows(UploadView))
    @needs(Deed.SUBMIT)
    def remove(digest: Digest, request: Request, project: Project = "default") -> Json:
        """One's own file; an operator may remove any. Campaigns that were submitted with it have
        a copy.
        """
        return uploads.remove(access_of(request), project, digest)

    return routes


async def _body(request: Request) -> bytes:
    """Raises RequestError as soon as it is too long."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BYTES:
            raise RequestError(
                f"The file is larger than {MAX_BYTES >> 20} MB: save it smaller.", code="too-large"
            )
    return bytes(data)
