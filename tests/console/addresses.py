"""Every page, by the name under which its picture is kept."""

from __future__ import annotations

from typing import Final

from tests.console.filled import ARRIVALS, DRIFTED, FLIGHTS, PARCELS
from tests.console.learning import BETTER, STOPPED

ALERT: Final = f"/alerts/{DRIFTED.key}-1"
LETTER: Final = f"/dead-letters/{FLIGHTS.topic.replace('/', '%2F')}%2F1%2F1995%40log"
MINUTES: Final = "from=2026-11-28T19:00Z&to=2026-11-28T19:10Z"
PAGES: Final = {
    "overview": "/",
    "service": f"/s/{FLIGHTS.service}",
    "classes": f"/s/{PARCELS.service}",
    "number": f"/s/{ARRIVALS.service}",
    "alerts": "/alerts",
    "alert": ALERT,
    "ledger": "/ledger",
    "letters": "/dead-letters",
    "reason": f"/dead-letters?service={FLIGHTS.service}&reason=out_of_range",
    "letter": LETTER,
    "redrive": f"/dead-letters/redrive?service={FLIGHTS.service}&reason=undecodable",
    "refused": "/dead-letters/redrive",
    "learners": "/learners",
    "learner": f"/learners/{BETTER}",
    "stopped-learner": f"/learners/{STOPPED}",
    "rows": f"/rows/health/traffic?service={FLIGHTS.service}&{MINUTES}",
    "query": f"/query?monitor=health/traffic&service={FLIGHTS.service}",
    "sign-in": "/sign-in",
    "nothing": "/nothing",
    "nobody": "/s/nobody",
}
