"""What a bundle of a learner answers with: its own state, until a newer one that fits it has come."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog

from weir.agents.worker.served_states import ServedStates
from weir.core.errors import Refused
from weir.edges.bundles.learned import columns_of
from weir.edges.bundles.opened import Opened
from weir.learn import onnx_linear, onnx_served
from weir.scoring.variant import Answering
from weir.settings import Settings
from weir.telemetry import StateRefused, StateServed, Telemetry

GOLDEN: Final = 16  # rows that each state is compared over

log = structlog.get_logger(__name__)


class Learned:
    """The newest state that fits. One thread may offer while another one answers: what answers is swapped as a whole.

    Raises Refused for a bundle whose model takes no state.
    """

    def __init__(self, settings: Settings, opened: Opened, telemetry: Telemetry) -> None:
        found = opened.bundle.learner
        if found is None:
            raise Refused(f"bundle {opened.bundle.short_digest} is of no learner", remedy="name another bundle")
        self.of, self.service = found, opened.bundle.service
        self._opened, self._telemetry = opened, telemetry
        self._states = ServedStates(settings, self.service, found.name)
        golden, known = opened.golden.inputs[:GOLDEN], opened.golden.tables
        self._rows, self._tables = golden.copy(), {column: table[:] for column, table in known.items()}
        self._x = columns_of(golden, known, opened.bundle.signature, found.columns)
        self._now = Answering(opened.model.run, found.state)

    def now(self) -> Answering:
        """What answers, and which state it has: for a micro-batch from its start to its end."""
        return self._now

    def offer(self, row: Mapping[str, Any]) -> bool:
        """Answer with the state of a record of topic learner-snapshots from now on, if it fits; whether it does.

        Where it does not, the last one that did goes on, and log and metric say why.
        """
        if row["digest"] == self._now.state:
            return True
        try:
            self._now = self._fitting(row)
        except (ValueError, KeyError, TypeError, AttributeError, Refused, OSError, RuntimeError) as error:
            self._telemetry.emit(StateRefused(service=self.service, learner=self.of.name))
            log.error(
                "a state of a learner is not served: the last one that fits goes on",
                learner=self.of.name,
                state=row["digest"],
                serving=self._now.state,
                reason=str(error),
            )
            return False
        delay_s = max(0.0, time.time() - row["at"] / 1000)
        self._telemetry.emit(StateServed(service=self.service, learner=self.of.name, delay_s=delay_s))
        return True

    def _fitting(self, row: Mapping[str, Any]) -> Answering:
        """Raises what `offer` catches for a state that does not fit; OSError where it cannot be kept."""
        state, content = row["digest"], row["answering"]
        about = json.loads(row["about"])
        mine = {"name": self.of.name, "service": self.service, "model": self.of.model, "window": self.of.window}
        if differing := [name for name, value in mine.items() if about["learner"].get(name) != value]:
            raise ValueError(f"it is of a learner whose {', '.join(differing)} differs")
        if tuple(about["columns"]) != self.of.columns:
            raise ValueError("it is of other features, or of another order of them")
        signature = self._opened.bundle.signature
        if tuple(about["classes"]) != signature.labels:
            raise ValueError("it is of other classes")
        kept = onnx_linear.state_in(content)
        if onnx_linear.digest_of(kept) != state:
            raise ValueError("it is not what its name says")

        def runs(inputs: onnx_served.State) -> Any:
            return self._opened.model.with_state(inputs).run(self._rows, self._tables)

        inputs = onnx_served.checked(runs, kept, signature.task, self._x)
        self._states.keep(state, content)  # before anything is answered with it
        return Answering(self._opened.model.with_state(inputs).run, state)
