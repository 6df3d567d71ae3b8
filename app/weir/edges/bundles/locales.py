"""Locales of the machine, which models that change the case of texts ask for by name."""

from __future__ import annotations

import re
from typing import Final

_ABSENT: Final = re.compile(r"Failed to construct locale with name:\s*([^:\s]+)")


def absent(error: Exception) -> tuple[str, str] | None:
    """What is wrong and how to mend it, where ONNX Runtime's error is that a locale is not here; None for another.

    >>> absent(RuntimeError("Failed to construct locale with name:xx_XX.UTF-8:locale::facet"))[0]
    'the model asks for the locale xx_XX.UTF-8, which this machine does not have'
    """
    if not (found := _ABSENT.search(str(error))):
        return None
    return (
        f"the model asks for the locale {found[1]}, which this machine does not have",
        'export it with a locale that each machine has, by the option `{TfidfVectorizer: {"locale": "C.UTF-8"}}` of '
        f"skl2onnx (or for CountVectorizer), or install {found[1]}, here and where it is served",
    )
