"""A sealed record: JSON and parts as bytes under an HMAC, so that whoever opens it with the key knows who wrote it.

Nothing of a record is looked at before its seal was compared, but for how long it is.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

MAGIC: Final = b"weir.sealed.1\n"
MAC: Final = 32  # bytes of HMAC-SHA256
HEAD: Final = 4  # bytes that say how long the JSON is
MOST: Final = 3_500_000  # of a whole record: the topic takes 4 MiB with all that stands beside it
UNPACKED: Final = 256 << 20  # of all parts


class TooLarge(ValueError):
    """A record would be larger than MOST."""


def seal(key: bytes, said: Mapping[str, Any], parts: Sequence[bytes]) -> bytes:
    """JSON, and parts behind it. Raises TooLarge."""
    size = sum(map(len, parts))
    if size > UNPACKED:
        raise TooLarge(f"it has {size:,} bytes, more than {UNPACKED:,}")
    body = pa.compress(b"".join(parts), codec="zstd", asbytes=True) if size else b""
    text = json.dumps({**said, "parts": [len(one) for one in parts]}, sort_keys=True).encode()
    rest = len(text).to_bytes(HEAD, "big") + text + body
    whole = len(MAGIC) + MAC + len(rest)
    if whole > MOST:
        raise TooLarge(f"it takes {whole:,} bytes, more than {MOST:,}")
    return MAGIC + _mac(key, rest) + rest


def unseal(key: bytes, content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The JSON, and the parts. Raises ValueError where it was not sealed with this key, or not as it is."""
    begin = len(MAGIC) + MAC
    if not begin + HEAD <= len(content) <= MOST or not content.startswith(MAGIC):
        raise ValueError("it is no sealed state of a learner")
    rest = content[begin:]
    if not hmac.compare_digest(content[len(MAGIC) : begin], _mac(key, rest)):
        raise ValueError("its seal does not fit: it was written with another key, or changed since")
    length = int.from_bytes(rest[:HEAD], "big")
    said: dict[str, Any] = json.loads(rest[HEAD : HEAD + length])
    sizes, body = said.pop("parts"), rest[HEAD + length :]
    whole = pa.decompress(body, sum(sizes), codec="zstd", asbytes=True) if sum(sizes) else b""
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return said, [whole[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _mac(key: bytes, rest: bytes) -> bytes:
    return hmac.digest(key, MAGIC + rest, "sha256")
