"""What was found out about a new service, in words: what a person should know before building."""

from __future__ import annotations

from collections.abc import Iterator

from weir.edges.bundles.rows import SCORE
from weir.edges.bundles.trained import ONNX_RUNTIME
from weir.edges.bundles.words import listed_names
from weir.operations import services
from weir.operations.new_inputs import MARGIN
from weir.operations.sample import Column
from weir.operations.service_text import Draft


def findings(draft: Draft, whose: str, label: Column | None) -> Iterator[str]:
    """Line by line. whose: as scored_sample.golden says. label: the sample's column with what came true."""
    yield f"{len(draft.assigned)} inputs: {listed_names(draft.signature.names)}"
    yield from draft.why
    for one in draft.assigned:
        if one.text:
            yield (
                f"FREE TEXT {one.column.name}: {one.why}; so it has dtype string, and any text goes to the model as it "
                "is; if it is one of some words, give it dtype category and `categories` in service.yaml"
            )
        elif one.why:
            yield f"categories of {one.column.name}: {one.why}"
        if one.instead:
            yield (
                f"WARNING {one.column.name}: the model knows none of {listed_names(one.categories)}; it knows "
                f"{', or '.join(map(listed_names, one.instead))}: give a sample with the words of the training"
            )
    if bounded := sum(item.high is not None for item in draft.signature.inputs):
        yield (
            f"ranges of {bounded} inputs: {MARGIN:.0f} times what the sample has; a value outside is a dead letter: "
            f"edit low and high in {services.SPEC}"
        )
    for column in draft.left_out:
        yield f"left out {column.name}: {column.why_not}"
    yield f"golden rows: {draft.golden}"
    if whose == ONNX_RUNTIME:
        yield (
            "their scores are the exported model's own: they show that it is served as it was exported, not that the "
            f"export equals the trained model; put the trained model's scores into the sample, as column {SCORE}"
        )
    if label is None:
        yield "no label: the baseline does not say what came true; name its column by --label, with --replace"
