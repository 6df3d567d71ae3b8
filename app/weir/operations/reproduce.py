"""Recorded predictions made again: from the recorded inputs by the bundle of their digest, and from their requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.agents.worker.served_states import ServedStates
from weir.core import runtime as runtimes
from weir.core.beside import Table, Tables, values_at
from weir.core.chunk import LogPartition
from weir.core.contract import UNREGISTERED, Contract
from weir.core.decide import decide, words
from weir.core.errors import Refused
from weir.core.signature import Dtype, Signature, Source
from weir.edges.bundles import folder, runtime
from weir.edges.bundles.engine import Wanted
from weir.edges.bundles.onnx_model import ONNX_RUNTIME
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.clickhouse import sql_files
from weir.edges.kafka import records_at
from weir.edges.schemas.registry import Registry
from weir.learn import onnx_served
from weir.scoring.assemble import Assembler, event_ms
from weir.settings import Settings
from weir.wire import frame, request_contract
from weir.wire.decode import Decoder

AT_ONCE: Final = 100  # ids of one question, which is an address
SEARCH: Final = (
    'see what there is: weir query "SELECT request_id, prediction_id FROM predictions ORDER BY scored_at DESC LIMIT 5"'
)
NOT_ASKED, NOT_HELD, SAME, DIFFERS = "not asked for", "no longer in the log", "gives the same inputs", "differs"

Floats = npt.NDArray[np.float32]


@dataclass(slots=True)
class Reproduced:
    """One prediction, and what came of making it again.

    learner_state: of the learner that answered; empty of other models. score: as recorded; again: as it is here, None
    where it could not be made. differences: all that is not the same; none: the same bits. runtime: what of the
    recorded runtime is not so here, which alone is no difference. engine: what scored it here, see Runtime.
    request: what the request in the log says of the recorded inputs.
    """

    prediction_id: str
    request_id: str
    service: str
    model: str
    version: str
    digest: str
    decision: str
    score: float
    learner_state: str = ""
    again: float | None = None
    engine: str = ""
    request: str = NOT_ASKED
    runtime: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether everything that could be compared is the same."""
        return not self.differences


@dataclass(slots=True)
class _Answer:
    """A recorded row, and what is found out about it.

    inputs: float32[k] once they are in the bundle's order. exact: those that the model takes as float64 or int64.
    """

    row: Mapping[str, Any]
    told: Reproduced
    inputs: Floats | None = None
    exact: Mapping[str, float] = field(default_factory=dict)


def named(client: Client, names: Sequence[str]) -> list[str]:
    """The ids of the predictions that names mean: their own ids, or those of their requests.

    Raises Refused when one names none; Unavailable.
    """
    found: dict[str, None] = {}
    for some in _cut(list(dict.fromkeys(names))):
        own = {name: uuid for name in some if (uuid := _uuid(name))}
        rows = sql_files.rows(client, "reproduce/named", ids=list(own.values()), words=some)
        by_word = [(row["word"], row["prediction_id"]) for row in rows]
        for name in some:
            meant = [prediction for word, prediction in by_word if word in (name, own.get(name))]
            if not meant:
                raise Refused(f"there is no prediction {name}, and none of a request {name}", remedy=SEARCH)
            found |= dict.fromkeys(meant)
    return list(found)


def _uuid(name: str) -> str:
    """A UUID as ClickHouse writes it; "" for what is none."""
    try:
        return str(UUID(name))
    except ValueError:
        return ""


def reproduce(
    client: Client, settings: Settings, ids: Sequence[str], *, with_requests: bool = True
) -> list[Reproduced]:
    """What comes of making these predictions again, in the order of their ids.

    with_requests: also compare with the requests, where their log still holds them.
    Raises Refused when one is not recorded; Unavailable, Refused when ClickHouse, Kafka or the registry do not answer.
    """
    answers = [
        _answer(row) for some in _cut(sorted(set(ids))) for row in sql_files.rows(client, "reproduce/rows", ids=some)
    ]
    if missing := sorted(set(ids) - {answer.told.prediction_id for answer in answers}):
        more = f", nor {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Refused(f"there is no prediction {missing[0]}{more}", remedy=SEARCH)
    opened: dict[str, Opened] = {}
    for (digest, engine, state), some in groupby(sorted(answers, key=_scored_by), key=_scored_by):
        group = list(some)
        found = _open(digest, group, settings, _wanted(engine, settings))
        found = _at_state(found, state, group, settings) if found is not None else None
        if found is not None:
            opened[digest] = found
            _score(found, group)
    if with_requests:
        _compare_requests([answer for answer in answers if answer.told.digest in opened], opened, settings)
    return [answer.told for answer in answers]


def _cut(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))


def _scored_by(answer: _Answer) -> tuple[str, str, str]:
    """The bundle, the engine that is recorded, and the state of a learner; empty where none is."""
    recorded = json.loads(answer.row["runtime"] or "{}")
    return answer.told.digest, str(recorded.get("engine", "")), answer.told.learner_state


def _wanted(engine: str, settings: Settings) -> Wanted:
    """What makes a bundle be scored by the engine that is recorded, whichever one workers have been told since."""
    if not engine:
        return settings.scoring.engine
    return "onnxruntime" if engine == ONNX_RUNTIME else "auto"


def _answer(row: Mapping[str, Any]) -> _Answer:
    names = (
        "prediction_id",
        "request_id",
        "service",
        "model",
        "version",
        "digest",
        "decision",
        "score",
        "learner_state",
    )
    return _Answer(row, Reproduced(**{name: row[name] for name in names}))


def _open(digest: str, group: Sequence[_Answer], settings: Settings, wanted: Wanted) -> Opened | None:
    """The bundle that gave these answers; None, and why it cannot be asked is a difference of each, where it cannot."""
    whole = next((answer.row["sha256"] for answer in group if answer.row["sha256"]), digest)
    try:
        return open_bundle(folder.read(folder.find(whole, settings)), wanted=wanted)
    except Refused as refusal:
        for answer in group:
            answer.told.differences.append(str(refusal))
        return None


def _at_state(opened: Opened, state: str, group: Sequence[_Answer], settings: Settings) -> Opened | None:
    """The bundle with the learner's state that answered; None, and why is a difference of each, where it is gone."""
    learner = opened.bundle.learner
    if learner is None or state in ("", learner.state):
        return opened
    try:
        kept = ServedStates(settings, opened.bundle.service, learner.name).read(state)
        return replace(opened, model=opened.model.with_state(onnx_served.state_of(kept)))
    except Refused as refusal:
        for answer in group:
            answer.told.differences.append(str(refusal))
        return None


def _score(opened: Opened, group: Sequence[_Answer]) -> None:
    """Run the model on the recorded inputs, and compare what it gives."""
    signature, here = opened.bundle.signature, json.loads(runtime.of(opened.model).text)
    for answer in group:
        _take_inputs(answer, signature)
        recorded = json.loads(answer.row["runtime"] or "null")
        answer.told.runtime = runtimes.differences(recorded, here) if recorded else ["not recorded"]
    able = [answer for answer in group if answer.inputs is not None]
    if not able:
        return
    matrix = np.ascontiguousarray([answer.inputs for answer in able], np.float32)
    given = opened.model.run(matrix, _tables(able, matrix, signature))
    decided = decide(signature, given)
    decisions = words(signature, decided.index).to_pylist()
    for answer, outputs, score, decision in zip(able, given, decided.score, decisions, strict=True):
        told = answer.told
        told.again, told.engine = float(score), opened.model.engine
        told.differences += _unlike("score", answer.row["score"], score)
        named = dict(zip(signature.outputs, outputs, strict=True)) if signature.outputs else {}
        for name, recorded in zip(answer.row["classes"], answer.row["outputs"], strict=True):
            told.differences += _unlike(f"output {name}", recorded, named.get(name, np.float32(np.nan)))
        if told.decision != decision:
            told.differences.append(f"decision {told.decision!r} was recorded, here it is {decision!r}")


def _tables(answers: Sequence[_Answer], matrix: Floats, signature: Signature) -> Tables:
    """What was recorded beside the matrix, by column, where the positions are put."""
    tables: dict[int, Table] = {}
    for column in signature.beside:
        name, strings = signature.names[column], column in signature.strings
        said: list[Any] = [_texts(answer).get(name) if strings else answer.exact.get(name) for answer in answers]
        matrix[:, column] = [np.nan if value is None else place for place, value in enumerate(said)]
        kind = np.float64 if column in signature.doubles else np.int64
        whole: list[Any] = [("" if strings else 0) if value is None else value for value in said]
        tables[column] = whole if strings else np.array(whole, kind)
    return tables


def _texts(answer: _Answer) -> dict[str, str]:
    return dict(zip(answer.row["worded"], answer.row["texts"], strict=True))


def _unlike(what: str, before: float, now: np.float32) -> list[str]:
    """What to say of two float32 that have not the same bits; nothing of two that have."""
    recorded = np.float32(before)
    if recorded.tobytes() == now.tobytes():
        return []
    return [f"{what} {recorded:.9g} was recorded, here it is {now:.9g} ({_ulps(recorded, now):,} float32 apart)"]


def _take_inputs(answer: _Answer, signature: Signature) -> None:
    row, names = answer.row, signature.names
    doubles, longs = ([names[column] for column in columns] for columns in (signature.doubles, signature.longs))
    if row["packed"]:  # nobody has said yet what the values are called: they are in the bundle's order
        called = ((names, "<f4"), (doubles, "<f8"), (longs, "<i8"))
        read = [_unpacked(text, *how) for text, how in zip(row["packed"], called, strict=True)]
        found, exact = read[0], {**read[1], **read[2]}
        exact = {name: value for name, value in exact.items() if not np.isnan(value)}
    else:
        found = dict(zip(row["inputs"], row["features"], strict=True))
        exact = dict(row["doubles"]) | dict(row["longs"])
    if found.keys() != set(names) or exact.keys() - {*doubles, *longs} or set(longs) - exact.keys():
        lacking = [name for name in names if name not in found] or sorted(found.keys() - set(names))
        lacking = lacking or sorted(exact.keys() ^ {*doubles, *longs})
        answer.told.differences.append(f"inputs of another bundle were recorded: {', '.join(lacking[:5])}")
        return
    answer.inputs, answer.exact = np.array([found[name] for name in names], np.float32), exact


def _unpacked(text: str, names: Sequence[str], kind: str) -> dict[str, Any]:
    """Numbers in hexadecimal by their names; none where they are not as many."""
    values = np.frombuffer(bytes.fromhex(text), kind).tolist()
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else {}


def _ulps(one: np.float32, other: np.float32) -> int:
    """How many float32 numbers lie from one to the other."""
    ranks = [int(value.view(np.int32)) for value in (one, other)]
    low, high = (rank if rank >= 0 else -(rank & 0x7FFFFFFF) for rank in ranks)
    return abs(high - low)


def _place(answer: _Answer) -> records_at.Place:
    row = answer.row
    return LogPartition(row["source_log"], row["source_topic"], row["source_partition"]), row["source_offset"]


def _compare_requests(answers: Sequence[_Answer], opened: Mapping[str, Opened], settings: Settings) -> None:
    """Hold each answer to the request at its place in the log, where that is still there."""
    held = records_at.read(settings.kafka, {_place(answer) for answer in answers})
    registry = Registry(settings.registry)
    for answer in answers:
        place = _place(answer)
        if place not in held:
            answer.told.request = NOT_HELD
            continue
        wrong = list(_request_differences(answer, held[place], opened[answer.told.digest], registry))
        answer.told.request = DIFFERS if wrong else SAME
        answer.told.differences += [f"request: {what}" for what in wrong]


def _request_differences(answer: _Answer, value: bytes | None, opened: Opened, registry: Registry) -> Iterable[str]:
    """What a record of the log would have given the model otherwise than it was recorded."""
    bundle, row = opened.bundle, answer.row
    values = pa.array([value], pa.large_binary())
    written = frame.schema_id(values) if value else None
    if written != row["contract_id"]:
        yield f"contract {row['contract_id']} was recorded, the record in the log has {written}"
    contract = Contract("reproduce", 1, request_contract.build(bundle.service, bundle.signature), UNREGISTERED)
    decoded = Decoder(contract, registry.schema_text).decode(values, max_bytes=len(value or b""))
    if len(decoded.rejects):
        yield f"it would be rejected: {decoded.rejects.reason[0]} {decoded.rejects.detail[0]}"
        return
    request = decoded.rows
    if (name := request["request_id"][0].as_py()) != row["request_id"]:
        yield f"request_id {row['request_id']!r} was recorded, the record in the log has {name!r}"
    if (time_ms := int(event_ms(request)[0])) != round(row["event_time"].timestamp() * 1000):
        yield f"event_time {row['event_time'].isoformat()} was recorded, the record in the log has {time_ms} ms"
    if answer.inputs is not None:
        yield from _input_differences(answer, answer.inputs, request, opened)
    recorded = _texts(answer)
    for item in bundle.signature.texts if recorded else ():
        said = request[item.ref][0].as_py()
        if said != recorded.get(item.name):
            yield f"{item.name} {recorded.get(item.name)!r} was recorded, the record in the log has {said!r}"


def _input_differences(answer: _Answer, recorded: Floats, request: pa.RecordBatch, opened: Opened) -> Iterable[str]:
    """Inputs of the model that the request itself carries, and that it would give otherwise."""
    signature = opened.bundle.signature
    asked = signature.of(Source.REQUEST)
    if not asked:
        return
    carried = replace(signature, inputs=asked)
    built = Assembler(carried, None).build(request, None)
    tables = dict(zip(carried.beside, built.tables, strict=True))
    for column, (item, found) in enumerate(zip(asked, built.matrix[0], strict=True)):
        if item.dtype is Dtype.STRING:  # compared as it was written
            continue
        if column in tables:
            number = values_at(built.matrix[:, column], tables[column]).tolist()[0]
            said = answer.exact.get(item.name, float("nan"))
            if number != said and not (np.isnan(number) and np.isnan(said)):
                yield f"input {item.name} = {said} was recorded, the record in the log gives {number}"
            continue
        before = recorded[signature.names.index(item.name)]
        if before.tobytes() != found.tobytes() and not (np.isnan(before) and np.isnan(found)):
            yield f"input {item.name} = {before:.9g} was recorded, the record in the log gives {found:.9g}"
