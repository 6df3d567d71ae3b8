"""Addresses: every part is used, or refused with a word that names the setting."""

import pytest
from weir.core.addresses import Address, authorities
from weir.core.errors import Refused


def of(text: str) -> Address:
    return Address.of(text, "WEIR_X_URL", example="http://HOST:1", credentials="WEIR_X_USER")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://clickhouse", ("http", "clickhouse", None, "")),
        ("https://[::1]:8443/", ("https", "::1", 8443, "")),
        ("https://gateway/clickhouse/eu/", ("https", "gateway", None, "/clickhouse/eu")),
    ],
)
def test_all_parts_are_there(text, parts):
    assert of(text) == Address(*parts)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no http"),
        ("clickhouse:8123", "no http"),
        ("tcp://clickhouse:9000", "no http"),
        ("http://", "no http"),
        ("http://host:port", "no http"),
        ("http://[::1", "no http"),
        ("http://host/?database=x", "ends in .database=x"),
        ("http://host/#x", "ends in #x"),
    ],
)
def test_what_cannot_be_used_is_refused(text, word):
    with pytest.raises(Refused, match=f"WEIR_X_URL.*{word}"):
        of(text)


@pytest.mark.parametrize("text", ["http://user:secret@host:1", "http://secret@host", "https://:secret@host/path"])
def test_a_password_is_refused_and_told_to_nobody(text):
    with pytest.raises(Refused, match="WEIR_X_USER") as refused:
        of(text)
    assert "secret" not in str(refused.value)


def test_authorities_that_are_not_there_are_refused(tmp_path):
    assert authorities("", "WEIR_X_CA_FILE") is None
    with pytest.raises(Refused, match="WEIR_X_CA_FILE names a file"):
        authorities(str(tmp_path / "ca.pem"), "WEIR_X_CA_FILE")
