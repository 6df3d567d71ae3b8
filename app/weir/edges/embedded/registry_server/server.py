"""A local schema registry: the part of Confluent's HTTP API that clients use, over the folder schemas/.

Run as `python -m weir.edges.embedded.registry_server --schemas DIR --state DIR`.
Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.edges.embedded.registry_server.store import Incompatible, Store, Version

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"

_NO_SUBJECT: Final = (404, 40401)
_NO_VERSION: Final = (404, 40402)
_NO_SCHEMA: Final = (404, 40403)
_INCOMPATIBLE: Final = (409, 409)
_BAD_SCHEMA: Final = (422, 42201)
_BAD_VERSION: Final = (422, 42202)
_BAD_LEVEL: Final = (422, 42203)

_MAX_VERSION: Final = 2**31 - 1
_MAX_DIGITS: Final = 10  # of a version or an id
Endpoint = Callable[[Request], Awaitable[Response]]


class _Fault(Exception):
    """An answer that is an error: HTTP status and the registry's own code."""

    def __init__(self, kind: tuple[int, int], message: str) -> None:
        self.status, self.code, self.message = *kind, message
        super().__init__(message)


def app(store: Store) -> Starlette:
    """The registry as an ASGI application."""

    async def fault(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return _answer({"error_code": error.status_code, "message": error.detail}, error.status_code)
        assert isinstance(error, _Fault)
        return _answer({"error_code": error.code, "message": error.message}, error.status)

    return Starlette(routes=_routes(store), exception_handlers={_Fault: fault, HTTPException: fault})


def _routes(store: Store) -> list[Route]:
    async def subjects(_: Request) -> Response:
        return _answer(store.subjects)

    async def versions(request: Request) -> Response:
        return _answer([version.number for version in _versions(store, request)])

    async def version(request: Request) -> Response:
        return _answer(_full(_subject(request), _one(store, request)))

    async def version_text(request: Request) -> Response:
        return _answer(json.loads(_one(store, request).text))

    async def register(request: Request) -> Response:
        text = await _schema(request)
        try:
            added = store.register(_subject(request), text)
        except Incompatible as error:
            raise _Fault(_INCOMPATIBLE, f"Schema is incompatible with an earlier one: {error}") from error
        except ValueError as error:
            raise _Fault(_BAD_SCHEMA, str(error)) from error
        return _answer({"id": added.schema_id})

    async def look_up(request: Request) -> Response:
        text = await _schema(request)
        _versions(store, request)
        try:
            found = store.find(_subject(request), text)
        except ValueError as error:
            raise _Fault(_BAD_SCHEMA, str(error)) from error
        if found is None:
            raise _Fault(_NO_SCHEMA, "Schema not found")
        return _answer(_full(_subject(request), found))

    async def by_id(request: Request) -> Response:
        return _answer({"schema": _text(store, request)})

    async def by_id_text(request: Request) -> Response:
        return _answer(json.loads(_text(store, request)))

    async def uses(request: Request) -> Response:
        _text(store, request)
        schema_id = _schema_id(request)
        return _answer(
            [
                {"subject": subject, "version": version.number}
                for subject in store.subjects
                for version in store.versions(subject)
                if version.schema_id == schema_id
            ]
        )

    async def compatible(request: Request) -> Response:
        text = await _schema(request)
        against = [_one(store, request)] if "version" in request.path_params else None
        try:
            faults = store.faults(_subject(request), text, against)
        except ValueError as error:
            raise _Fault(_BAD_SCHEMA, str(error)) from error
        verbose = request.query_params.get("verbose") == "true"
        return _answer({"is_compatible": not faults} | ({"messages": faults} if verbose else {}))

    async def level(request: Request) -> Response:
        return _answer({"compatibilityLevel": store.level(request.path_params.get("subject", ""))})

    async def set_level(request: Request) -> Response:
        body = await _body(request)
        try:
            store.set_level(request.path_params.get("subject", ""), str(body.get("compatibility")))
        except ValueError as error:
            raise _Fault(_BAD_LEVEL, str(error)) from error
        return _answer({"compatibility": str(body["compatibility"])})

    async def types(_: Request) -> Response:
        return _answer(["AVRO"])

    async def nothing(_: Request) -> Response:
        return _answer({})

    def get(path: str, endpoint: Endpoint) -> Route:
        return Route(path, endpoint, methods=["GET"])

    def post(path: str, endpoint: Endpoint) -> Route:
        return Route(path, endpoint, methods=["POST"])

    return [
        get("/", nothing),
        get("/subjects", subjects),
        get("/subjects/{subject}/versions", versions),
        post("/subjects/{subject}/versions", register),
        post("/subjects/{subject}", look_up),
        get("/subjects/{subject}/versions/{version}", version),
        get("/subjects/{subject}/versions/{version}/schema", version_text),
        get("/schemas/types", types),
        get("/schemas/ids/{schema_id}", by_id),
        get("/schemas/ids/{schema_id}/schema", by_id_text),
        get("/schemas/ids/{schema_id}/versions", uses),
        post("/compatibility/subjects/{subject}/versions", compatible),
        post("/compatibility/subjects/{subject}/versions/{version}", compatible),
        get("/config", level),
        get("/config/{subject}", level),
        Route("/config", set_level, methods=["PUT"]),
        Route("/config/{subject}", set_level, methods=["PUT"]),
    ]


def _answer(content: Any, status: int = HTTPStatus.OK) -> Response:
    body = json.dumps(content, allow_nan=False)  # in ASCII, so that any text can be said
    return Response(body, status, media_type=MEDIA_TYPE)


def _subject(request: Request) -> str:
    return str(request.path_params["subject"])


def _versions(store: Store, request: Request) -> list[Version]:
    found = store.versions(_subject(request))
    if not found:
        raise _Fault(_NO_SUBJECT, f"Subject '{_subject(request)}' not found.")
    return found


def _one(store: Store, request: Request) -> Version:
    versions, wanted = _versions(store, request), str(request.path_params["version"])
    if wanted in ("latest", "-1"):
        return versions[-1]
    number = wanted.isascii() and wanted.isdigit() and len(wanted) <= _MAX_DIGITS
    if not number or not 0 < int(wanted) <= _MAX_VERSION:
        raise _Fault(_BAD_VERSION, f"The specified version '{wanted}' is not a valid version id.")
    if int(wanted) > len(versions):
        raise _Fault(_NO_VERSION, f"Version {wanted} not found.")
    return versions[int(wanted) - 1]


def _schema_id(request: Request) -> int:
    text = str(request.path_params["schema_id"])
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise _Fault(_NO_SCHEMA, f"Schema {text[:_MAX_DIGITS]} not found")
    return int(text)


def _text(store: Store, request: Request) -> str:
    schema_id = _schema_id(request)
    text = store.text(schema_id)
    if text is None:
        raise _Fault(_NO_SCHEMA, f"Schema {schema_id} not found")
    return text


def _full(subject: str, version: Version) -> dict[str, object]:
    return {"subject": subject, "version": version.number, "id": version.schema_id, "schema": version.text}


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (ValueError, RecursionError) as error:
        raise _Fault(_BAD_SCHEMA, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise _Fault(_BAD_SCHEMA, "the body is not a JSON object")
    return body


async def _schema(request: Request) -> str:
    body = await _body(request)
    if body.get("schemaType", "AVRO") != "AVRO" or body.get("references") or not isinstance(body.get("schema"), str):
        raise _Fault(_BAD_SCHEMA, "only Avro schemas without references are kept here")
    return str(body["schema"])
