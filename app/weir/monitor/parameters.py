"""What the SQL of a monitor may ask for: parameters that are bound by the server, by their names."""

from __future__ import annotations

from typing import Final

TIMES: Final = ("DateTime", "DateTime('UTC')", "DateTime64(3)", "DateTime64(3, 'UTC')")
TEXT: Final = ("String",)
TEXTS: Final = ("Array(String)",)
TABLE: Final = ("Identifier",)

# name -> ClickHouse's types that it may be written with
PARAMETERS: Final = {
    "service": TEXT,
    "from": TIMES,
    "to": TIMES,
    "step": ("UInt32",),
    "version": TEXT,  # of the four that make a segment, '' is all
    "variant": TEXT,
    "tenant": TEXT,
    "team": TEXT,
    "subject": TEXT,  # one of the subjects alone; '' is all
    "baseline": TEXT,
    "base_version": TEXT,
    "base_variant": TEXT,
    "base_from": TIMES,
    "base_to": TIMES,
    "season": TEXT,
    # what the bundle means, as edges/clickhouse/reports.py gives it
    "positive": TEXT,
    "threshold": ("Float64",),
    "labels": TEXTS,
    "words": TEXTS,
    "meant": TEXTS,
    "flagging": TEXTS,
    # views of the service
    "results": TABLE,
    "shadow_results": TABLE,
}
NEEDED: Final = ("service", "from", "to", "step")
MEANING: Final = frozenset({"positive", "threshold", "labels", "words", "meant", "flagging"})
VIEWS: Final = frozenset({"results", "shadow_results"})
