"""Who may ask the local registry, how much and how slowly: it asks for no password, so a web page must not reach it.

A page of a foreign origin may send a simple POST, or a GET under a name of its own that points to 127.0.0.1. A browser
says where a page comes from in `Origin`, and what it asked for in `Host`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_BODY: Final = 1 << 20  # a schema of 2,000 documented fields has 300 KiB
HEARD_WITHIN_S: Final = 20.0  # a whole request, from a machine that is not out to keep the connection


class Guard:
    """The application, for callers on this machine. host: address that the server listens on, allowed as a name too."""

    def __init__(self, inner: ASGIApp, host: str) -> None:
        self._inner, self._host = inner, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: refuse, or hand on with a body that is bounded in bytes and time."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if why := self._foreign(headers):
            await _refuse(send, 403, why)
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

    def _foreign(self, headers: dict[str, str]) -> str:
        """Why a request does not come from this machine; "" when it does."""
        if not self._is_ours(f"//{headers.get('host', '')}"):
            return "this registry answers to the names of this machine only"
        if "origin" in headers and not self._is_ours(headers["origin"]):
            return "this registry answers no page of another origin"
        if headers.get("sec-fetch-site", "none") == "cross-site":
            return "this registry answers no page of another site"
        return ""

    def _is_ours(self, url: str) -> bool:
        try:
            name = urlsplit(url).hostname or ""
        except ValueError:
            return False
        if name in ("localhost", self._host):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


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
