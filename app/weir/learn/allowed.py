"""Pickles of River's models are opened through a list of names: what is not on it is not imported, let alone called.

Each name is a class that holds what a model has learned, or makes one from plain values. None reads a file, runs what
it is given, or looks up something else by its name; tests attack it.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final

from typing_extensions import override

from weir.learn.allowed_names import NAMES
from weir.learn.allowed_numbers import INSTEAD
from weir.learn.model import is_fault

BESIDE: Final = ("__bases__", "__defaults__", "__kwdefaults__")  # what may be set and does not stand in __dict__


class Outside(bytes):
    """A pickle that was not made in this process."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.before: dict[Any, dict[str, Any]] = {}  # of what was named: what it has

    @override
    def find_class(self, module: str, name: str) -> Any:
        """Whole names: an attribute of what is allowed is another name, whose dots are looked up in no other way."""
        if name not in NAMES.get(module, ()):
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not on the list")
        found = INSTEAD.get((module, name)) or super().find_class(module, name)
        self.before.setdefault(found, _has(found))
        return found

    def put_back(self) -> list[str]:
        """Undo what a pickle has done to classes themselves, not to what it makes of them; what these are called."""
        changed = []
        for one, before in self.before.items():
            now = _has(one)
            added = now.keys() - before.keys()
            differing = [name for name, each in before.items() if name not in now or now[name] is not each]
            for name in added:
                delattr(one, name)
            for name in differing:
                setattr(one, name, before[name])
            changed += [str(getattr(one, "__name__", one))] if added or differing else []
        return changed


def _has(one: Any) -> dict[str, Any]:
    """The attributes of a class or a function that may be set; but for what Python itself notes when it pickles one."""
    beside = {name: getattr(one, name) for name in BESIDE if hasattr(one, name)}
    return {name: each for name, each in getattr(one, "__dict__", {}).items() if name != "__slotnames__"} | beside


def loads(content: bytes) -> Any:
    """The object. Raises ValueError where it names what is not on the list, or cannot be opened here.

    Also where it would change a class of which others have models, too; the class is as before then.
    """
    opener = _Unpickler(content)
    try:
        try:
            found = opener.load()
        finally:
            changed = opener.put_back()
        if changed:
            raise ValueError(f"it changes {changed[0]} itself")
        return found
    except BaseException as error:  # whatever classes raise for what they are given
        if not is_fault(error):
            raise
        raise ValueError(f"its model cannot be opened: {error or type(error).__name__}") from error
