"""Whether a request comes from a program of this machine, and not from a page in somebody's browser.

A page of any origin may make a browser send requests to 127.0.0.1, and by a DNS name of its own that points there it
may read the answers too. Browsers say where a request comes from: in Origin and Sec-Fetch-Site for what a page sends,
in Host for the name that it was sent to. Other clients send no Origin, and a Host that names this server.
"""

from __future__ import annotations

from collections.abc import Collection
from email.message import Message
from urllib.parse import urlsplit

from weir.edges.embedded.clickhouse_facade.faults import ACCESS_DENIED, Fault

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check(headers: Message, names: Collection[str], port: int) -> None:
    """Raises Fault for a Host that is none of `names` and for an Origin that is not this server's own.

    names: in small letters, without brackets and port.
    port: this server's.
    """
    if why := _foreign(headers, names, port):
        raise Fault(ACCESS_DENIED, "ACCESS_DENIED", f"Refused before anything was run: {why}", close=True)


def _foreign(headers: Message, names: Collection[str], port: int) -> str:
    """What is foreign about a request; "" for nothing."""
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1 or _host_and_port(f"//{hosts[0]}")[0] not in names:
        return f"Host: {', '.join(hosts)[:100] or '(none)'} is not a name of this server"
    origin = headers.get("Origin")
    if origin is not None and _host_and_port(origin) not in {(name, port) for name in names}:
        return f"Origin: {origin[:100]} is another one"
    if headers.get("Sec-Fetch-Site", "none").strip().lower() not in ("none", "same-origin"):
        return "the request was made by a page of another origin"
    return ""


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip("."), parts.port or 80
    except ValueError:
        return "", 0
