"""Pickles of River's models are opened through a list of names: what is not on it is not imported, let alone called.

Each name is a class that holds what a model has learned, or makes one from plain values. None reads a file, runs what
it is given, or looks up something else by its name; tests attack it.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from typing_extensions import override

from weir.learn.allowed_names import NAMES
from weir.learn.allowed_numbers import INSTEAD
from weir.learn.model import is_fault


class Outside(bytes):
    """A pickle that was not made in this process."""


class _Unpickler(pickle.Unpickler):
    @override
    def find_class(self, module: str, name: str) -> Any:
        """Whole names: an attribute of what is allowed is another name, whose dots are looked up in no other way."""
        if name not in NAMES.get(module, ()):
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not on the list")
        return INSTEAD.get((module, name)) or super().find_class(module, name)


def loads(content: bytes) -> Any:
    """The object. Raises ValueError where it names what is not on the list, or cannot be opened here."""
    try:
        return _Unpickler(io.BytesIO(content)).load()
    except BaseException as error:  # whatever classes raise for what they are given
        if not is_fault(error):
            raise
        raise ValueError(f"its model cannot be opened: {error or type(error).__name__}") from error
