"""Addresses of services."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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
