"""Columns of UUIDs as text, by the byte: a regular expression of each takes three times as long."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import buffers_of

LENGTH: Final = 36
_DASHES: Final = (8, 13, 18, 23)
_STAMP: Final = [place for place in range(13) if place not in _DASHES]  # digits of the milliseconds since 1970
_VERSION, _VARIANT = 14, 19

# What a byte may stand for, a bit each, and what it is as a digit.
_HEX, _DASH, _SEVEN, _RFC = 1, 2, 4, 8
_KINDS: Final = np.zeros(256, np.uint8)
_DIGITS: Final = np.zeros(256, np.int64)
for _text, _kind in (("0123456789abcdefABCDEF", _HEX), ("-", _DASH), ("7", _SEVEN), ("89abAB", _RFC)):
    _KINDS[[ord(_word) for _word in _text]] |= _kind
for _word in "0123456789abcdefABCDEF":
    _DIGITS[ord(_word)] = int(_word, 16)


def _form(version: int, variant: int) -> npt.NDArray[np.uint8]:
    form = np.full(LENGTH, _HEX, np.uint8)
    form[list(_DASHES)] = _DASH
    form[_VERSION], form[_VARIANT] = version, variant
    return form


_ANY: Final = _form(_HEX, _HEX)
_V7: Final = _form(_SEVEN, _RFC)


def are_uuids(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Which of n texts are a UUID, of any version.

    >>> are_uuids(pa.array(["0140AAAF-0000-0000-0000-000000000000", "0140aaaf", None])).tolist()
    [True, False, False]
    """
    found, octets = _of_length(texts)
    return _spread(found, _are(octets, _ANY))


def are_v7(texts: pa.Array, begin_ms: int, end_ms: int) -> npt.NDArray[np.bool_]:
    """Which of n texts are a UUIDv7 of a time in [begin_ms, end_ms), milliseconds since 1970.

    >>> ids = pa.array(["0140aaaf-0000-7000-8000-000000000000", "0140aaaf-0000-4000-8000-000000000000"])
    >>> are_v7(ids, 0, 2**48).tolist(), are_v7(ids, 0, 1).tolist()
    ([True, False], [False, False])
    """
    found, octets = _of_length(texts)
    stamp = np.zeros(len(octets), np.int64)
    for place in _STAMP:
        stamp = 16 * stamp + _DIGITS.take(octets[:, place])
    return _spread(found, _are(octets, _V7) & (stamp >= begin_ms) & (stamp < end_ms))


def _of_length(texts: pa.Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    """Which texts have the length of a UUID, and the bytes of those: [found, LENGTH]."""
    found = np.diff(buffers_of(texts)[0]) == LENGTH
    if texts.null_count:
        found &= texts.is_valid().to_numpy(zero_copy_only=False)
    if not found.all():
        texts = texts.filter(pa.array(found))
    offsets, octets = buffers_of(texts)
    return found, octets[offsets[0] : offsets[-1]].reshape(-1, LENGTH)


def _are(octets: npt.NDArray[np.uint8], form: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which rows have at each place what the form asks for. Four places are looked at together, in all rows at once."""
    kinds, asked = _KINDS.take(octets).view(np.uint32), form.view(np.uint32)
    fits = np.ones(len(octets), np.bool_)
    for four in range(LENGTH // 4):
        fits &= kinds[:, four] & asked[four] == asked[four]
    return fits


def _spread(found: npt.NDArray[np.bool_], fits: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The answers for all texts: those that were not found fit nothing."""
    answers = found.copy()
    answers[found] = fits
    return answers
