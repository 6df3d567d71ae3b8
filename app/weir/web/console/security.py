"""Who may ask, what a page may load, and that a person meant it: hosts, headers, sessions and the tokens of forms."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weir.core.errors import Refused

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
SHORTEST_TOKEN: Final = 16
SIGN_IN: Final = "/sign-in"
STATIC: Final = "/static/"
FRAGMENTS: Final = ("/panel/", "/data/", "/palette.json")  # asked for by pages, not by people
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. id: random. signed_in: it has shown the console's token."""

    id: str
    signed_in: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorman:
    """What a console lets in. hosts: names that it answers to. token: asked for where it is not empty.

    act: whether anybody may change something here at all. key: of this process; sessions end with it.
    """

    hosts: Collection[str]
    token: str = ""
    act: bool = False
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def session(self, cookie: str) -> Session | None:
        """Who sent a cookie; None where this process has not made it."""
        name, _, mark = cookie.partition(".")
        for signed_in in (True, False):
            if name and hmac.compare_digest(mark.encode(), self._mark(name, signed_in=signed_in).encode()):
                return Session(name, signed_in)
        return None

    def opened(self, *, signed_in: bool) -> tuple[Session, str]:
        """A new session, and its cookie."""
        name = secrets.token_urlsafe(18)
        return Session(name, signed_in), f"{name}.{self._mark(name, signed_in=signed_in)}"

    def knows(self, token: str) -> bool:
        """Whether somebody has the console's token."""
        return bool(self.token) and hmac.compare_digest(token.encode(), self.token.encode())

    def lets_in(self, session: Session) -> bool:
        """Whether somebody may see anything: where a token is asked for, only after signing in."""
        return session.signed_in or not self.token

    def form_token(self, session: Session) -> str:
        """What every form of this session carries: a page elsewhere cannot know it."""
        return self._hashed(f"form {session.id}")

    def check(self, request: Request, token: str) -> None:
        """Raises Refused unless a form may act, and a page of this console sent it for this session."""
        if not self.act:
            raise Refused("this console only shows", remedy="start it with `weir console --act`, or use the command")
        session: Session = request.state.session
        if not hmac.compare_digest(token.encode(), self.form_token(session).encode()) or not from_here(request):
            raise Refused("this form is of another session", remedy="load its page again, and send it once more")

    def _mark(self, name: str, *, signed_in: bool) -> str:
        return self._hashed(f"{'signed in' if signed_in else 'open'} {name}")

    def _hashed(self, text: str) -> str:
        return hmac.new(self.key, text.encode(), sha256).hexdigest()


def doorman(host: str, names: Collection[str], token: str, *, act: bool) -> Doorman:
    """Of a console that is served on an address. names: others that people reach it by.

    Raises Refused where it would be served beyond this machine without a token, or with one that is easily guessed.
    """
    beyond = host not in LOOPBACK
    if token and len(token) < SHORTEST_TOKEN:
        remedy = f"give one of at least {SHORTEST_TOKEN} characters"
        raise Refused("WEIR_CONSOLE_TOKEN is short enough to be guessed", remedy=remedy)
    if (beyond or names) and not token:
        remedy = "set WEIR_CONSOLE_TOKEN, or leave --host and --name out"
        raise Refused("the console would be open to everybody who reaches this machine", where=host, remedy=remedy)
    known = {one.lower() for one in (*LOOPBACK, *names)} | ({host.lower()} if beyond else set())
    return Doorman(hosts=frozenset(known), token=token, act=act)


def from_here(request: Request) -> bool:
    """Whether a page of this console, and no other, made a request: as browsers say, who let no page change that."""
    said = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        return False
    return said == "same-origin" if said is not None else origin is not None


class Door:
    """Stands before every page: refuses what is not for this console, keeps sessions, and sets headers."""

    def __init__(self, app: ASGIApp, doorman: Doorman) -> None:
        self._app = app
        self._doorman = doorman

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = _host(headers.get("host", ""))
        cookie_name = f"weir-{host[1]}"
        session, cookie = self._doorman.session(_cookie(headers, cookie_name)), ""
        if session is None:
            session, cookie = self._doorman.opened(signed_in=False)
        scope.setdefault("state", {})["session"] = session

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    given[name] = value
                new = scope["state"].get("cookie", cookie)
                if new and not scope["path"].startswith(STATIC):
                    secure = "; Secure" if scope.get("scheme") == "https" else ""
                    given.append("Set-Cookie", f"{cookie_name}={new}; Path=/; HttpOnly; SameSite=Lax{secure}")
            await send(message)

        app = self._refusal(scope, host[0], session) or self._app
        await app(scope, receive, sending)

    def _refusal(self, scope: Scope, host: str, session: Session) -> ASGIApp | None:
        if host not in self._doorman.hosts:
            text = "This console does not answer to that name: `weir console --name NAME` adds one.\n"
            return PlainTextResponse(text, 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("GET, HEAD and POST are served.\n", 405)
        if _is_drawn_in(Headers(scope=scope)):
            return PlainTextResponse("Another site's page asks for this: open it by itself.\n", 403)
        if not self._doorman.lets_in(session) and scope["path"] != SIGN_IN and not scope["path"].startswith(STATIC):
            if scope["method"] == "POST" or scope["path"].startswith(FRAGMENTS):
                return PlainTextResponse("Sign in first.\n", 401)
            asked = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            return RedirectResponse(f"{SIGN_IN}?to={quote(asked, safe='')}", 303)
        return None


def _host(header: str) -> tuple[str, int]:
    """The name and port of a Host header, without brackets; "" for none."""
    try:
        parts = urlsplit(f"//{header}")
        return (parts.hostname or "").lower(), parts.port or 80
    except ValueError:
        return "", 80


def _is_drawn_in(headers: Headers) -> bool:
    """Whether a page of another site asks, as an image, a frame or by a script; not where a person follows its link.

    It could read nothing, but each question costs ClickHouse its time.
    """
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document"


def _cookie(headers: Headers, name: str) -> str:
    """Of this console; cookies of others on this machine come along, and may hold anything."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")
