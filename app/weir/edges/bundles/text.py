"""YAML of a person or of anywhere -> plain values, such that nothing is changed on the way.

YAML 1.1, as PyYAML reads it, makes numbers of 010 (8) and 1:30 (90), a boolean of `no` and a date of 2026-01-01. Here
are only the forms of YAML 1.2's core schema: true, false, null, decimal numbers, `.inf` and `.nan`. All else is text.

The text is not trusted: no anchors (nine of them, each naming the last nine times, are a gigabyte), no more than a
bound, no tag that constructs anything but plain values, no key twice.

Source: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, Final

import yaml

from weir.core.errors import shortened

MAX_BYTES: Final = 1 << 20  # one with 300 inputs, each documented, has 100 KiB
DEEPEST: Final = 100  # collections within another; a specification has 4
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_FORMS: Final = (  # the first that fits decides; a number with a leading zero is text
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)$"), ("~", "n", "N", "")),
    ("int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
)


# Ten times as fast where libyaml is built in; the forms and refusals are these either way.
_Loader, _Dumper = (yaml.CSafeLoader, yaml.CSafeDumper) if yaml.__with_libyaml__ else (yaml.SafeLoader, yaml.SafeDumper)


class _Tree(_Loader):  # type: ignore[misc, valid-type]
    """Without keys that repeat."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML fills it, for this class alone

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            names = [str(key.value) for key, _ in node.value]
            twice = next((name for i, name in enumerate(names) if name in names[:i]), "")
            raise yaml.constructor.ConstructorError(None, None, f"it has the key {twice} twice", node.start_mark)
        return found


class _Writer(_Dumper):  # type: ignore[misc, valid-type]
    """Quotes what either of the two versions of YAML would read as something else than text, and makes no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


for _name, _form, _first in _FORMS:
    for _kind in (_Tree, _Writer):
        _kind.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _form, list(_first))


def parse(text: bytes) -> dict[str, Any]:
    """The mapping that `text` is. Raises ValueError saying why it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has {len(text)} bytes, more than {MAX_BYTES}")
    try:
        _check(text.decode())
        content = yaml.load(text.decode(), _Tree)  # a SafeLoader with less in it
    except Exception as error:  # PyYAML lets out what its constructors meet, such as IndexError for `!!int ''`
        raise ValueError(explain(error)) from error
    if not isinstance(content, dict):
        raise ValueError("it is not a mapping")
    return content


def _check(text: str) -> None:
    """Raises ValueError for an alias, so that what is read is as large as what was written, and for a deep text."""
    depth = 0
    for event in yaml.parse(text, _Tree):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has an alias")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")


def write(content: Mapping[str, Any]) -> str:
    """Plain values as a text of which `parse` makes the same values, in this order."""
    text: str = yaml.dump(dict(content), Dumper=_Writer, sort_keys=False, width=120, allow_unicode=True)
    return text


def explain(error: Exception) -> str:
    """What an error says, in one line of bounded length."""
    return shortened(str(error)) or type(error).__name__
