"""Who may ask the local registry, how much and how slowly: it asks for no password, so a web page must not reach it."""

from __future__ import annotations

import asyncio
import email.message
import json
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from weir.edges.embedded.origins import LOOPBACK, foreign

MAX_BODY: Final = 1 << 20  # a schema of 2,000 documented fields has 300 KiB
HEARD_WITHIN_S: Final = 20.0  # a whole request, from a machine that is not out to keep the connection


class Guard:
    """The application, for programs on this machine. host, port: where the server listens; host is a name of it too."""

    def __init__(self, inner: ASGIApp, host: str, port: int) -> None:
        self._inner, self._names, self._port = inner, LOOPBACK | {host.lower()}, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: refuse, or hand on with a body that is bounded in bytes and time."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if why := foreign(_headers(scope), self._names, self._port):
            await _refuse(send, 403, f"this registry answers programs of this machine only: {why}")
            return
        try:
            body = await asyncio.wait_for(_whole(receive), HEARD_WITHIN_S)
        except TimeoutError:
            await _refuse(send, 408, f"the request was not whole after {HEARD_WITHIN_S:g} s")
            return
        if body is None:
            await _refuse(send, 413, f"the body is larger than {MAX_BODY} bytes")
            return
        await self._inner(scope, _once(body, receive), send)


def _headers(scope: Scope) -> email.message.Message:
    headers = email.message.Message()
    for name, value in scope["headers"]:
        headers[name.decode("latin-1")] = value.decode("latin-1")
    return headers


async def _whole(receive: Receive) -> bytes | None:
    """The body; None when it is too large, of which the rest is not read."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the caller has gone
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _once(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"error_code": status, "message": why}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Impatient(H11Protocol):
    """HTTP that closes a connection on which no request has begun in time: half a head would stay for ever."""

    _unheard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._unheard = self.loop.call_later(HEARD_WITHIN_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        if self._unheard is not None:
            self._unheard.cancel()

    def _look(self) -> None:
        """Close when the head of a request is still not whole; a connection without any part of one is uvicorn's."""
        answered = self.cycle is not None and self.cycle.response_complete
        if self.cycle is None or (answered and self.timeout_keep_alive_task is None):
            self.transport.close()
        else:
            self._unheard = self.loop.call_later(HEARD_WITHIN_S, self._look)
