"""What a library that has done its work keeps in memory, given back."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SMAPS: Final = Path("/proc/self/smaps")
DONTNEED: Final = 4  # MADV_DONTNEED
_AREA: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ +(.*)")
_END: Final = "0-0 ---p 0 0:0 0 "  # an area behind the last


def give_back(library: str) -> None:
    """Take the unchanged pages of a shared library out of this process: its code and constants.

    They stay in the cache of files, and are mapped again where they are used again. Elsewhere than on Linux it does
    nothing.
    library: the beginning of its file's name.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        lines = SMAPS.read_text(encoding="utf-8", errors="replace").splitlines()
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):  # no /proc, or another C library
        return
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for start, end in unchanged(lines, library):
        advise(start, end - start, DONTNEED)


def unchanged(lines: Iterable[str], library: str) -> Iterator[tuple[int, int]]:
    """Areas of a library that nobody can write to, and nobody has: without a page that the file has not as it is.

    Pages into which the loader has put addresses are in memory, or swapped out.
    lines: of /proc/PID/smaps, see proc(5).
    """
    area: tuple[int, int] | None = None
    kib: dict[str, str] = {}  # of an area, what its lines say
    for line in (*lines, _END):
        if found := _AREA.fullmatch(line):
            if area and kib.get("Anonymous") == "0" and kib.get("Swap", "0") == "0":
                yield area
            start, end, allowed, path = found.groups()
            mine = path.rpartition("/")[2].startswith(library) and "w" not in allowed
            area, kib = (int(start, 16), int(end, 16)) if mine else None, {}
        elif area:
            name, _, said = line.partition(":")
            kib[name] = said.removesuffix("kB").strip()
