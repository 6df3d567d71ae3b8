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

from weir.edges.embedded.registry_server.store import Forbidden, Incompatible, Store, Version

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"

_NO_SUBJECT: Final = (404, 40401)
_NO_VERSION: Final = (404, 40402)
_NO_SCHEMA: Final = (404, 40403)
_SUBJECT_DELETED: Final = (404, 40404)
_SUBJECT_NOT_DELETED: Final = (404, 40405)
_VERSION_DELETED: Final = (404, 40406)
_VERSION_NOT_DELETED: Final = (404, 40407)
_NO_LEVEL: Final = (404, 40408)
_NO_MODE: Final = (404, 40409)
_INCOMPATIBLE: Final = (409, 409)
_BAD_SCHEMA: Final = (422, 42201)
_BAD_VERSION: Final = (422, 42202)
_BAD_LEVEL: Final = (422, 42203)
_BAD_MODE: Final = (422, 42204)
_FORBIDDEN: Final = (422, 42205)

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
    return [
        *_common(),
        *_subject_routes(store),
        *_deletions(store),
        *_schema_routes(store),
        *_compatibility(store),
        *_settings(store, "config", store.own_level, store.level, store.set_level, _NO_LEVEL, _BAD_LEVEL),
        *_settings(store, "mode", store.own_mode, store.mode, store.set_mode, _NO_MODE, _BAD_MODE),
    ]


def _common() -> list[Route]:
    async def types(_: Request) -> Response:
        return _answer(["AVRO"])

    async def contexts(_: Request) -> Response:
        return _answer(["."])

    async def nothing(_: Request) -> Response:
        return _answer({})

    return [_get("/", nothing), _get("/schemas/types", types), _get("/contexts", contexts)]


def _subject_routes(store: Store) -> list[Route]:
    async def subjects(request: Request) -> Response:
        prefix = request.query_params.get("subjectPrefix", "")
        return _answer([name for name in store.names(deleted=_deleted(request)) if name.startswith(prefix)])

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
            raise _Fault(_INCOMPATIBLE, str(error)) from error
        except Forbidden as error:
            raise _Fault(_FORBIDDEN, str(error)) from error
        except ValueError as error:
            raise _bad_schema(error) from error
        return _answer({"id": added.schema_id})

    async def look_up(request: Request) -> Response:
        text = await _schema(request)
        _versions(store, request)
        try:
            found = store.find(_subject(request), text, deleted=_deleted(request))
        except ValueError as error:
            raise _bad_schema(error) from error
        if found is None:
            raise _Fault(_NO_SCHEMA, "Schema not found")
        return _answer(_full(_subject(request), found))

    return [
        _get("/subjects", subjects),
        _get("/subjects/{subject}/versions", versions),
        _post("/subjects/{subject}/versions", register),
        _post("/subjects/{subject}", look_up),
        _get("/subjects/{subject}/versions/{version}", version),
        _get("/subjects/{subject}/versions/{version}/schema", version_text),
    ]


def _deletions(store: Store) -> list[Route]:
    """Softly first, then for good with ?permanent=true."""

    async def delete_subject(request: Request) -> Response:
        subject, permanent = _subject(request), request.query_params.get("permanent") == "true"
        there, known = store.versions(subject), store.versions(subject, deleted=True)
        if not known:
            raise _Fault(_NO_SUBJECT, f"Subject '{subject}' not found.")
        if permanent and there:
            raise _Fault(
                _SUBJECT_NOT_DELETED, f"Subject '{subject}' was not deleted first before being permanently deleted"
            )
        if not permanent and not there:
            what = f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
            raise _Fault(_SUBJECT_DELETED, what)
        return _answer(_gone(store, subject, known if permanent else there, permanent=permanent))

    async def delete_version(request: Request) -> Response:
        subject, permanent = _subject(request), request.query_params.get("permanent") == "true"
        chosen = _one(store, request, deleted=True)
        what = f"Subject '{subject}' Version {chosen.number} was"
        if permanent and not chosen.deleted:
            raise _Fault(_VERSION_NOT_DELETED, f"{what} not deleted first before being permanently deleted")
        if not permanent and chosen.deleted:
            raise _Fault(_VERSION_DELETED, f"{what} soft deleted. Set permanent=true to delete permanently")
        return _answer(_gone(store, subject, [chosen], permanent=permanent)[0])

    return [
        Route("/subjects/{subject}", delete_subject, methods=["DELETE"]),
        Route("/subjects/{subject}/versions/{version}", delete_version, methods=["DELETE"]),
    ]


def _gone(store: Store, subject: str, versions: list[Version], *, permanent: bool) -> list[int]:
    numbers = [version.number for version in versions]
    try:
        (store.forget if permanent else store.delete)(subject, numbers)
    except Forbidden as error:
        raise _Fault(_FORBIDDEN, str(error)) from error
    return numbers


def _schema_routes(store: Store) -> list[Route]:
    async def every(request: Request) -> Response:
        prefix = request.query_params.get("subjectPrefix", "")
        names = [name for name in store.names(deleted=_deleted(request)) if name.startswith(prefix)]
        return _answer([_full(name, it) for name in names for it in store.versions(name, deleted=_deleted(request))])

    async def by_id(request: Request) -> Response:
        return _answer({"schema": _text(store, request)})

    async def by_id_text(request: Request) -> Response:
        return _answer(json.loads(_text(store, request)))

    def uses(request: Request) -> list[tuple[str, int]]:
        _text(store, request)
        deleted, schema_id = _deleted(request), _schema_id(request)
        return [
            (name, version.number)
            for name in store.names(deleted=deleted)
            for version in store.versions(name, deleted=deleted)
            if version.schema_id == schema_id
        ]

    async def versions_of(request: Request) -> Response:
        return _answer([{"subject": name, "version": number} for name, number in uses(request)])

    async def subjects_of(request: Request) -> Response:
        return _answer(sorted({name for name, _ in uses(request)}))

    return [
        _get("/schemas", every),
        _get("/schemas/ids/{schema_id}", by_id),
        _get("/schemas/ids/{schema_id}/schema", by_id_text),
        _get("/schemas/ids/{schema_id}/versions", versions_of),
        _get("/schemas/ids/{schema_id}/subjects", subjects_of),
    ]


def _compatibility(store: Store) -> list[Route]:
    async def compatible(request: Request) -> Response:
        text = await _schema(request)
        against = [_one(store, request)] if "version" in request.path_params else None
        try:
            faults = store.faults(_subject(request), text, against)
        except ValueError as error:
            raise _bad_schema(error) from error
        verbose = request.query_params.get("verbose") == "true"
        return _answer({"is_compatible": not faults} | ({"messages": faults} if verbose else {}))

    return [
        _post("/compatibility/subjects/{subject}/versions", compatible),
        _post("/compatibility/subjects/{subject}/versions/{version}", compatible),
    ]


def _settings(
    store: Store,
    what: str,
    own: Callable[[str], str],
    effective: Callable[[str], str],
    put: Callable[[str, str], None],
    absent: tuple[int, int],
    bad: tuple[int, int],
) -> list[Route]:
    """/config or /mode: of the registry, and of a subject, which has none of its own until it is set."""
    said, given = ("compatibilityLevel", "compatibility") if what == "config" else ("mode", "mode")

    async def show(request: Request) -> Response:
        subject = request.path_params.get("subject", "")
        if subject and not own(subject) and request.query_params.get("defaultToGlobal") != "true":
            noun = "compatibility" if what == "config" else "mode"
            raise _Fault(absent, f"Subject '{subject}' does not have subject-level {noun} configured")
        return _answer({said: effective(subject)})

    async def change(request: Request) -> Response:
        value = str((await _body(request)).get(given)).upper()
        try:
            put(request.path_params.get("subject", ""), value or "-")
        except ValueError as error:
            raise _Fault(bad, str(error)) from error
        return _answer({given: value})

    async def take_back(request: Request) -> Response:
        subject = request.path_params.get("subject", "")
        before = effective(subject)
        if subject and not own(subject):
            raise _Fault(_NO_SUBJECT, f"Subject '{subject}' not found.")
        put(subject, "")
        return _answer({said: before})

    return [
        Route(path, endpoint, methods=[method])
        for path in (f"/{what}", f"/{what}/{{subject}}")
        for method, endpoint in (("GET", show), ("PUT", change), ("DELETE", take_back))
    ]


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"])


def _post(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["POST"])


def _deleted(request: Request) -> bool:
    return request.query_params.get("deleted") == "true"


def _bad_schema(why: object) -> _Fault:
    return _Fault(_BAD_SCHEMA, f"Invalid schema: {why}")


def _answer(content: Any, status: int = HTTPStatus.OK) -> Response:
    body = json.dumps(content, allow_nan=False)  # in ASCII, so that any text can be said
    return Response(body, status, media_type=MEDIA_TYPE)


def _subject(request: Request) -> str:
    return str(request.path_params["subject"])


def _versions(store: Store, request: Request, *, deleted: bool = False) -> list[Version]:
    found = store.versions(_subject(request), deleted=deleted or _deleted(request))
    if not found:
        raise _Fault(_NO_SUBJECT, f"Subject '{_subject(request)}' not found.")
    return found


def _one(store: Store, request: Request, *, deleted: bool = False) -> Version:
    versions, wanted = _versions(store, request, deleted=deleted), str(request.path_params["version"])
    if wanted in ("latest", "-1"):
        return next((version for version in reversed(versions) if not version.deleted), versions[-1])
    number = wanted.isascii() and wanted.isdigit() and len(wanted) <= _MAX_DIGITS
    if not number or not 0 < int(wanted) <= _MAX_VERSION:
        what = f"The specified version '{wanted}' is not a valid version id."
        raise _Fault(_BAD_VERSION, f'{what} Allowed values are between [1, 2^31-1] and the string "latest"')
    chosen = next((version for version in versions if version.number == int(wanted)), None)
    if chosen is None:
        raise _Fault(_NO_VERSION, f"Version {wanted} not found.")
    return chosen


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
        raise _bad_schema("the body is not JSON") from error
    if not isinstance(body, dict):
        raise _bad_schema("the body is not a JSON object")
    return body


async def _schema(request: Request) -> str:
    body = await _body(request)
    if body.get("schemaType", "AVRO") != "AVRO" or body.get("references") or not isinstance(body.get("schema"), str):
        raise _bad_schema("only Avro schemas without references are kept here")
    return str(body["schema"])
