"""States of learners that have served, a file each: by them a prediction of long ago is made again."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from weir.core.errors import Refused
from weir.learn import onnx_linear
from weir.learn.model import Floats
from weir.settings import Settings

KEPT: Final = 20_000  # states of a learner, the newest; of 30 features they have 20 MB, on most file systems 80
TIDY_EVERY: Final = 500  # new ones
FOLDER: Final = "learner-states"


class ServedStates:
    """The states of one learner under WEIR_HOME. Several processes may share the folder."""

    def __init__(self, settings: Settings, service: str, learner: str, kept: int = KEPT) -> None:
        """kept: the newest so many stay."""
        self.folder = settings.paths.home / FOLDER / service / learner
        self._kept, self._new = kept, 0

    def path(self, state: str) -> Path:
        """Where a state is."""
        return self.folder / state[:2] / f"{state}.f64"

    def keep(self, state: str, content: bytes) -> None:
        """Write a state, whole or not at all. Raises OSError."""
        path = self.path(state)
        with suppress(FileNotFoundError):  # another process may tidy
            if path.stat().st_size == len(content):  # not so of one that was cut off with its machine
                os.utime(path)  # it serves again, and is one of the newest
                return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{state}.{secrets.token_hex(4)}")  # processes of two containers may share a number
        draft.write_bytes(content)
        draft.replace(path)
        self._new += 1
        if self._new % TIDY_EVERY == 0:
            self.tidy()

    def tidy(self) -> None:
        """Delete the oldest where there are more than are kept."""
        found = []
        for entry in self.folder.glob("*/*.f64"):
            with suppress(FileNotFoundError):  # another process may tidy
                found.append((entry.stat().st_mtime_ns, entry))
        for _, path in sorted(found)[: -self._kept]:
            path.unlink(missing_ok=True)

    def read(self, state: str) -> tuple[Floats, Floats]:
        """A state as it was served. Raises Refused where it is not here, or is not what its name says."""
        path = self.path(state)
        try:
            found = onnx_linear.state_in(path.read_bytes())
        except FileNotFoundError as error:
            raise Refused(
                f"state {state} of learner {self.folder.name} is not here: of those that served the newest "
                f"{self._kept:,} are kept",
                where=str(self.folder),
                remedy="run it where the scorer that answered has its WEIR_HOME, or copy that folder from there",
            ) from error
        except ValueError as error:
            raise Refused(f"state {state} is none: {error}", where=str(path), remedy="restore the file") from error
        if onnx_linear.digest_of(found) != state or not np.isfinite(found[0]).all():
            raise Refused(f"state {state} is another than its name says", where=str(path), remedy="restore the file")
        return found
