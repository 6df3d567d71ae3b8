"""Why a shadow says nothing of an answer."""

from __future__ import annotations

from enum import StrEnum


class Unscored(StrEnum):
    """Why a shadow says nothing of an answer."""

    UNDECODABLE = "undecodable"  # the record is no prediction
    NO_NAMES = "no_names"  # nobody has said what the answer's features are called, or they do not fit what was said
    INPUTS_MISSING = "inputs_missing"  # made without an input of this bundle, or of what that one does not hold
    MODEL_FAILED = "model_failed"  # this bundle's model gives no number
