"""Features that a team's own jobs push, write and materialise, as a scorer reads them: from LMDB and Redis alike.

Entities of a word, a whole number and both; features that are numbers, words and times; a time to live for each view.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from weir.core.errors import Refused
from weir.core.features import Status
from weir.core.signature import Dtype, Input, JoinKey, KeyType, Policy, Signature, Source
from weir.edges.features.reader import FeatureReader
from weir.edges.features.store.open import open_store
from weir.scoring.assemble import Assembled, Assembler
from weir.settings import ROOT, Settings

from tests.bundles import opened_bundle, tiny_bundle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAN = float("nan")
DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.STRING)
merchant = Entity(name="merchant", join_keys=["merchant"], value_type=ValueType.INT64)

def file(name):
    return FileSource(name=name + "_file", path="FOLDER/" + name + ".parquet", timestamp_field="event_timestamp")

profile = FeatureView(
    name="profile", entities=[customer], ttl=timedelta(days=1),
    source=PushSource(name="profile_push", batch_source=file("profile")),
    schema=[Field(name="customer", dtype=String), Field(name="spend", dtype=Float32), Field(name="visits", dtype=Int64),
            Field(name="vip", dtype=Bool), Field(name="plan", dtype=String), Field(name="login", dtype=UnixTimestamp)
            ] + MORE,
)
risk = FeatureView(
    name="risk", entities=[merchant], ttl=timedelta(days=7), source=file("risk"),
    schema=[Field(name="merchant", dtype=Int64), Field(name="share", dtype=Float64),
            Field(name="sector", dtype=String)],
)
pair = FeatureView(
    name="pair", entities=[customer, merchant], ttl=timedelta(0), source=file("pair"),
    schema=[Field(name="customer", dtype=String), Field(name="merchant", dtype=Int64), Field(name="n", dtype=Int32),
            Field(name="first", dtype=UnixTimestamp)],
)
fraud_v1 = FeatureService(name="fraud_v1", features=[profile, risk, pair])
"""


def feature(ref: str, dtype: Dtype = Dtype.FLOAT, **more: Any) -> Input:
    return Input(name=ref, source=Source.FEATURE, ref=ref, dtype=dtype, **{"on_missing": Policy.USE} | more)


DEFAULT = {"on_missing": Policy.DEFAULT, "default": 1.0}
SIGNATURE = Signature(
    inputs=(
        feature("risk__sector", Dtype.CATEGORY, categories=("food", "games"), on_stale=Policy.DEFAULT, default=0.0),
        feature("profile__spend"),
        feature("profile__visits"),
        feature("profile__vip", Dtype.BOOL),
        feature("profile__plan", Dtype.CATEGORY, categories=("free", "paid", "händler"), **DEFAULT),
        feature("profile__login", Dtype.AGE, unit="h"),
        feature("pair__n"),
        feature("pair__first", Dtype.AGE, unit="d"),
        feature("risk__share"),
    ),
    join_keys=(JoinKey(name="customer"), JoinKey(name="merchant", dtype=KeyType.INT64)),
)


class Team:
    """A feature repository of its own, applied, with nothing in the store."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder, self._settings = folder, settings
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / "feature_repo" / "feature_store.yaml", folder)
        self.settings = settings.having(feature_repo_dir=folder)
        self.apply("[]")

    def apply(self, more: str) -> None:
        """Define it anew, with more fields in view profile."""
        from weir.edges.features import repository

        text = DEFINITIONS.replace("FOLDER", str(self._folder)).replace("MORE", more)
        (self._folder / "definitions.py").write_text(text)
        self.feast = repository.apply(self.settings)
        (self.plan,) = repository.export(self.settings)

    def reader(self) -> FeatureReader:
        """As a scorer opens it for SIGNATURE."""
        return FeatureReader.of(self.settings, "fraud_v1", SIGNATURE.looked_up, SIGNATURE.feature_words)

    def profile(self, at: datetime = NOW, **more: Any) -> pd.DataFrame:
        """Rows of view profile: ann has everything, bob has words and times that are missing or unknown."""
        rows = {
            "customer": ["ann", "bob"],
            "spend": [1.5, None],
            "visits": [2**24, 3],
            "vip": [True, False],
            "plan": ["händler", "gold"],
            "login": [NOW - timedelta(hours=36), None],
            "event_timestamp": [at] * 2,
        }
        return pd.DataFrame(rows | more)


@pytest.fixture
def team(store_settings: Settings, tmp_path: Path) -> Any:
    made = Team(store_settings, tmp_path / "repository")
    yield made
    store = open_store(made.settings)
    store.clear()
    store.close()


def assembled(reader: FeatureReader, *asked: tuple[str, int | None], at: datetime = NOW, now_us: int = 0) -> Assembled:
    """What the model gets for requests of these customers and merchants. now_us: by which cached records age."""
    keys = {
        "customer": pa.array([customer for customer, _ in asked], pa.string()),
        "merchant": pa.array([merchant for _, merchant in asked], pa.int64()),
    }
    times = pa.array([at] * len(asked), pa.timestamp("ms", "UTC"))
    rows = pa.RecordBatch.from_pydict({"event_time": times, **keys})
    return Assembler(SIGNATURE, reader.plan).build(rows, reader.read(keys, now_us))


def test_what_a_teams_jobs_write_is_what_the_model_gets(team: Team, tmp_path: Path) -> None:
    team.feast.push("profile_push", team.profile())
    pairs = {"customer": ["ann", "1"], "merchant": [7, 7], "n": [3, 4], "first": [NOW - timedelta(days=3)] * 2}
    team.feast.write_to_online_store("pair", pd.DataFrame({**pairs, "event_timestamp": [NOW] * 2}))
    shares = {"merchant": [7, 8], "share": [0.25, 0.5], "sector": ["games", None]}
    times = [NOW - timedelta(days=8), NOW - timedelta(days=1)]
    pd.DataFrame({**shares, "event_timestamp": times}).to_parquet(team.settings.paths.feature_repo_dir / "risk.parquet")
    team.feast.materialize(NOW - timedelta(days=30), NOW)
    built = assembled(team.reader(), ("ann", 7), ("bob", 8), ("nobody", 9), ("1", 7))
    expected = [
        #   sector, spend, visits, vip, plan, login, n, first, share
        [0.0, 1.5, 2**24, 1.0, 2.0, 36.0, 3.0, 3.0, 0.25],  # the sector is stale: its default
        [NAN, NAN, 3.0, 0.0, 1.0, NAN, NAN, NAN, 0.5],  # "gold" is no category: its default
        [NAN, NAN, NAN, NAN, 1.0, NAN, NAN, NAN, NAN],
        [0.0, NAN, NAN, NAN, 1.0, NAN, 4.0, 3.0, 0.25],
    ]
    np.testing.assert_array_equal(built.matrix, np.array(expected, np.float32))
    names = [view.name for view in team.reader().plan.views]
    status = [dict(zip(names, map(Status, row), strict=True)) for row in built.status.tolist()]
    assert status[0] == {"risk": Status.STALE, "profile": Status.PRESENT, "pair": Status.PRESENT}
    assert status[1] == {"risk": Status.PRESENT, "profile": Status.PRESENT, "pair": Status.NOT_FOUND}
    taken = [[name for name, is_taken in zip(SIGNATURE.names, row, strict=True) if is_taken] for row in built.defaulted]
    assert taken == [["risk__sector"], ["profile__plan"], ["profile__plan"], ["risk__sector", "profile__plan"]]
    assert built.usable.all()
    got = team.feast.get_online_features(
        features=["profile:plan", "profile:login", "profile:visits"], entity_rows=[{"customer": "ann"}]
    ).to_dict()
    assert (got["plan"], got["visits"]) == (["händler"], [2**24])
    assert got["login"][0] == NOW - timedelta(hours=36)


def test_an_age_is_that_of_the_request_to_the_second_however_late_it_is_asked(team: Team) -> None:
    team.feast.push("profile_push", team.profile())
    reader, login = team.reader(), SIGNATURE.names.index("profile__login")
    for hours in (0, 1, 24 * 365):
        built = assembled(reader, ("ann", 7), at=NOW + timedelta(hours=hours, seconds=36))
        assert built.matrix[0, login] == np.float32(36 + hours + 0.01)
    built = assembled(reader, ("ann", 7), at=NOW - timedelta(hours=40))
    assert built.matrix[0, login] == -4.0, "a time after the request is before 0"


def test_what_is_pushed_is_read_when_the_cache_no_longer_keeps_what_was_there(team: Team) -> None:
    reader, ttl_us = team.reader(), int(team.settings.features.cache_ttl_s * 1e6)
    spend, plan = SIGNATURE.names.index("profile__spend"), SIGNATURE.names.index("profile__plan")

    def read(now_us: int) -> list[float]:
        found = assembled(reader, ("ann", 7), now_us=now_us)
        return [float(found.matrix[0, spend]), float(found.matrix[0, plan])]

    assert read(0) == pytest.approx([NAN, 1.0], nan_ok=True)
    team.feast.push("profile_push", team.profile())
    assert read(ttl_us - 1) == pytest.approx([NAN, 1.0], nan_ok=True), "absence is kept as long as a value"
    assert read(ttl_us) == [1.5, 2.0]
    team.feast.push(
        "profile_push", team.profile(at=NOW + timedelta(minutes=1), spend=[9.0, 9.0], plan=["free", "free"])
    )
    assert read(2 * ttl_us - 1) == [1.5, 2.0]
    assert read(2 * ttl_us) == [9.0, 0.0]
    team.feast.push("profile_push", team.profile(at=NOW - timedelta(minutes=1)))
    assert read(3 * ttl_us) == [9.0, 0.0], "an older event takes nothing's place"
    assert [float(value) for value in assembled(team.reader(), ("ann", 7)).matrix[0, [spend, plan]]] == [9.0, 0.0]


def test_a_field_more_breaks_no_bundle_that_serves(team: Team, tmp_path: Path) -> None:
    fingerprint = team.plan.reading(SIGNATURE.looked_up).fingerprint
    bundle = tiny_bundle(tmp_path, SIGNATURE, feature_service="fraud_v1", feature_fingerprint=fingerprint)
    running = team.reader()
    team.feast.push("profile_push", team.profile())
    before = assembled(running, ("ann", 7)).matrix
    added = {"a_word": "String", "zeal": "Float32", "moment": "UnixTimestamp"}
    team.apply("[" + ", ".join(f'Field(name="{name}", dtype={dtype})' for name, dtype in added.items()) + "]")
    assert opened_bundle(bundle, team.plan)
    more = {"a_word": ["x", "yy"], "zeal": [0.5, 0.5], "moment": [NOW, NOW]}
    team.feast.push("profile_push", team.profile(at=NOW + timedelta(minutes=1), **more))
    later = int(1e12)
    for reader in (running, team.reader()):
        np.testing.assert_array_equal(assembled(reader, ("ann", 7), now_us=later).matrix, before)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (feature("profile__spend", Dtype.CATEGORY, categories=("a",)), "is of dtype category, and .* is float32"),
        (feature("profile__plan"), "is of dtype float, and feature profile__plan is String"),
        (feature("profile__login"), "is of dtype float, and feature profile__login is UnixTimestamp"),
        (feature("profile__plan", Dtype.AGE, unit="s"), "is of dtype age, and feature profile__plan is String"),
    ],
)
def test_an_input_of_another_kind_than_its_feature_is_refused(
    team: Team, tmp_path: Path, wrong: Input, says: str
) -> None:
    signature = Signature(inputs=(wrong,), join_keys=SIGNATURE.join_keys[:1])
    fingerprint = team.plan.reading(signature.looked_up).fingerprint
    bundle = tiny_bundle(tmp_path, signature, feature_service="fraud_v1", feature_fingerprint=fingerprint)
    with pytest.raises(Refused, match=says):
        opened_bundle(bundle, team.plan)


def test_a_unit_is_one_of_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="unit 'weeks' is not one of s, min, h, d"):
        feature("v__x", Dtype.AGE, unit="weeks")
    with pytest.raises(ValueError, match="belongs to dtype 'age', and only there"):
        feature("v__x", unit="h")
    with pytest.raises(ValueError, match="belongs to dtype 'age', and only there"):
        feature("v__x", Dtype.AGE)
    with pytest.raises(ValueError, match="dtype 'age' belongs to features"):
        Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.AGE, unit="h")
