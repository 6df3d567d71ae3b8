"""Whether a request comes from a program of this machine, and not from a page in somebody's browser.

A page of any origin may make a browser send requests to 127.0.0.1, and by a DNS name of its own that points there it
may read the answers too. Browsers say where a request comes from: in Origin and Sec-Fetch-Site for what a page sends,
in Host for the name that it was sent to. Other clients send no Origin, and a Host that names this server. Another port
of this machine is another origin, and to a browser the same site.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Headers(Protocol):
    """Headers of a request, in whatever case their names are."""

    def get_all(self, name: str, /) -> Sequence[str] | None:
        """Every value of that name; None or nothing where there is none."""
        ...


def foreign(headers: Headers, names: Collection[str], port: int) -> str:
    """What is foreign about a request, "" for nothing: a Host that is none of `names`, an Origin that is not this one.

    names: in small letters, without brackets and port. port: this server's.
    """
    hosts = headers.get_all("Host") or ()
    if len(hosts) != 1 or _host_and_port(f"//{hosts[0]}")[0] not in names:
        return f"Host: {', '.join(hosts)[:100] or '(none)'} is not a name of this server"
    for origin in headers.get_all("Origin") or ():
        if _host_and_port(origin) not in {(name, port) for name in names}:
            return f"Origin: {origin[:100]} is another one"
    sites = headers.get_all("Sec-Fetch-Site") or ()
    if any(site.strip().lower() not in ("none", "same-origin") for site in sites):
        return "the request was made by a page of another origin"
    return ""


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip("."), parts.port or 80
    except ValueError:
        return "", 0
