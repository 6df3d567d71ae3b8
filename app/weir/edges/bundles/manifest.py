"""The text of bundle.yaml -> a bundle whose every value is of its type; anything else is refused.

A bundle may come from anywhere, so its text is not trusted: no anchors (nine of them, each naming the last nine times,
are a gigabyte), no more than a bound, no tag that constructs anything but plain values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic import TypeAdapter

from weir.core.bundle import Bundle
from weir.core.errors import shortened

MAX_BYTES: Final = 1 << 20  # of bundle.yaml; one with 300 inputs, each documented, has 100 KiB
_BUNDLE: Final = TypeAdapter(Bundle)


class _Tree(yaml.SafeLoader):
    """YAML without anchors, so that what is read is as large as what was written."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "it has an alias", None)
        return super().compose_node(parent, index)


def parse(text: bytes) -> dict[str, Any]:
    """The mapping that `text` is. Raises ValueError saying why it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has {len(text)} bytes, more than {MAX_BYTES}")
    try:
        content = yaml.load(text.decode(), _Tree)  # a SafeLoader with less in it
    except Exception as error:  # PyYAML lets out what its constructors meet, such as IndexError for `!!int ''`
        raise ValueError(explain(error)) from error
    if not isinstance(content, dict):
        raise ValueError("it is not a mapping")
    return content


def checked(bundle: Bundle, plain: dict[str, Any]) -> Bundle:
    """The same bundle, each value of the type that its field declares. plain: the bundle as plain values.

    Raises ValueError or TypeError naming the fields that are not, and numbers that no bundle can have.
    """
    # JSON's strict mode takes a list for a tuple and a text for an enumeration, and converts nothing else.
    found = _BUNDLE.validate_json(json.dumps({**plain, "digest": bundle.digest}), strict=True)
    if wrong := list(_impossible(found)):
        raise ValueError("; ".join(wrong))
    return found


def _impossible(bundle: Bundle) -> Iterator[str]:
    signature = bundle.signature
    if not 0 <= bundle.tolerance <= 1:
        yield f"tolerance is {bundle.tolerance}, not a difference of two scores"
    if not math.isfinite(signature.threshold):
        yield f"threshold is {signature.threshold}"
    if not signature.inputs or len(set(signature.names)) < len(signature.inputs):
        yield "inputs are none, or two have one name"
    for item in signature.inputs:
        numbers = (item.low, item.high, item.default, item.max_age_s)
        if any(number is not None and math.isnan(number) for number in numbers):
            yield f"input {shortened(item.name)} has a bound, default or age that is not a number"


def explain(error: Exception) -> str:
    """What an error says, in one line of bounded length."""
    return shortened(str(error)) or type(error).__name__
