"""Addresses of services, as a person gives them: every part is used, or refused with a word."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from weir.core.errors import Refused


def is_this_machine(url: str) -> bool:
    """Whether a URL names this machine, which no proxy stands before, whatever the environment says of proxies.

    >>> [is_this_machine(url) for url in ("http://127.0.0.1:8123", "http://localhost/", "http://[::1]:80", "http://ch:80")]
    [True, True, True, False]
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Address:
    """http(s)://host:port/path. port: None for the service's own. path: without a slash at its end."""

    scheme: str
    host: str
    port: int | None
    path: str

    @staticmethod
    def of(text: str, variable: str, *, example: str, credentials: str) -> Address:
        """The parts of an address.

        variable: the setting that holds it. example: a good one. credentials: the settings for user and password.
        Raises Refused when it is none, or has a part that cannot be used.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:  # a port that is no number, a bracket that is not closed
            parts, port = urlsplit(""), None
        if "@" in parts.netloc:  # addresses stand in messages and logs
            raise Refused(
                f"{variable} holds a user or a password",
                where=f"{parts.scheme}://...@{parts.netloc.rpartition('@')[2]}",
                remedy=f"write the address without them, and set {credentials}",
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"{variable} is no http(s) address", where=text, remedy=f"write it as {example}")
        if parts.query or parts.fragment:
            raise Refused(
                f"{variable} ends in {('?' + parts.query) if parts.query else ('#' + parts.fragment)}",
                where=text,
                remedy=f"write only scheme, host, port and path, as in {example}",
            )
        return Address(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def authorities(file: str, variable: str) -> str | None:
    """The path of a PEM file with authorities; None when none is given. Raises Refused when it is not there."""
    if file and not Path(file).exists():
        raise Refused(f"{variable} names a file that is not there", where=file, remedy="name a PEM file, or unset it")
    return file or None
