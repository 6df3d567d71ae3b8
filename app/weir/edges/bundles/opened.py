"""Opens a bundle: every check, then its model, warmed up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weir.core.beside import values_at
from weir.core.bundle import Bundle
from weir.core.features import ServicePlan
from weir.edges.bundles import checks, engine, reference
from weir.edges.bundles.folder import Described
from weir.edges.bundles.onnx_model import ONNX_RUNTIME, Floats, Model


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that passed every check, and its model.

    golden: its golden rows, as they were scored. reference: see core.reference, as JSON.
    """

    path: Path
    bundle: Bundle
    model: Model
    golden: checks.Golden
    reference: str

    @property
    def known_good(self) -> Floats:
        """float32[1, k], a row that the model has scored."""
        return self.golden.inputs[:1].copy()

    @property
    def known_values(self) -> tuple[str | float, ...]:
        """What that row has beside the matrix, one for each of the signature's `beside`."""
        found = (values_at(self.golden.inputs[:1, column], table) for column, table in self.golden.tables.items())
        return tuple(values.tolist()[0] for values in found)


def open_bundle(
    described: Described, plan: ServicePlan | None = None, threads: int = 1, wanted: engine.Wanted = "auto"
) -> Opened:
    """Check a bundle and open its model.

    described: what `folder.read` gave, so that the folder holds the six files of a bundle and nothing else, and its
    content has the digest that names it. Then:

    1. a request contract can be made from the signature
    2. model.onnx is ONNX
    3. the graph takes and gives what the signature says, and says nothing else of its columns
    4. the golden rows give the golden scores, by ONNX Runtime and by the engine that is chosen, see `engine`
    5. the reference is one of its inputs and classes
    6. the features are those that the model was trained on, and asked by the keys that the signature has

    plan: the feature service as applied; without it check 6 is left out. wanted: the engine, see `engine.chosen`.
    Raises Refused, with a message of its own for each check.
    """
    path, bundle = described.path, described.bundle
    checks.check_contract(bundle, str(path))
    model = Model(path, threads)
    checks.check_graph(path, bundle, model)
    golden = checks.check_golden(path, bundle, model)
    model, golden = _by_engine(path, bundle, model, golden, wanted)
    normal = reference.read(path, bundle.signature)
    if plan is not None:
        checks.check_features(bundle, plan)
    return Opened(path, bundle, model, golden, normal)


def _by_engine(
    path: Path, bundle: Bundle, model: Model, golden: checks.Golden, wanted: engine.Wanted
) -> tuple[Model, checks.Golden]:
    """The model on the engine that is chosen, and the golden rows as this one scores them.

    golden: as ONNX Runtime scores them.
    """
    chosen = engine.chosen(path, bundle, model, golden, wanted)
    if chosen.engine == ONNX_RUNTIME:
        return chosen, golden
    try:
        return chosen, checks.check_golden(path, bundle, chosen)
    except checks.Unfit as unfit:  # it is as near to ONNX Runtime as is allowed, and that to the golden scores
        return model.because(f"by the kernel {unfit.what}"), golden
