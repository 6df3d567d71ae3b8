"""What a form has sent: its fields, few and short, and only of a page of this console."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

LONGEST: Final = 65_536  # bytes of a form
MOST: Final = 40  # fields of it
FORM: Final = "application/x-www-form-urlencoded"


def posted(handle: Callable[[Request, dict[str, str]], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of a handler that gets the fields, and may take its time. Of several of a name the last counts."""

    async def endpoint(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != FORM:
            return PlainTextResponse("Send a form.\n", 415)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                return PlainTextResponse("The form is too long.\n", 413)
        try:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST))
        except ValueError:
            return PlainTextResponse("The form cannot be read.\n", 400)
        return await run_in_threadpool(handle, request, form)

    return endpoint
