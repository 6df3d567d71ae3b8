"""schemas/ as a whole: versions read each other both ways, topics and records agree, fields are documented."""

import itertools
import json

import pytest
from weir.core.errors import Refused
from weir.edges.schemas import folder as schema_folder
from weir.wire import shape
from weir.wire.compatibility import incompatibility

from tests import examples

SERVICES = schema_folder.services(examples.SCHEMAS)
TOPICS = schema_folder.topics(examples.SCHEMAS, SERVICES)
PAIRS = [
    pytest.param(old, new, id=f"{record}-v{i + 1}-v{j + 1}")
    for record in examples.RECORDS
    for (i, old), (j, new) in itertools.combinations_with_replacement(
        enumerate(schema_folder.versions(examples.SCHEMAS, record)), 2
    )
]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_version_reads_every_other(old, new):
    assert incompatibility(new, old) is None, "backward: new readers, old records"
    assert incompatibility(old, new) is None, "forward: old readers, new records"


@pytest.mark.parametrize("record", examples.RECORDS)
def test_adding_and_removing_a_defaulted_field_is_an_allowed_step_and_others_are_not(record):
    """What schemas/README.md says of changes, said by the checker, on each record as it is."""
    text = examples.contract(record).schema

    def changed(change):
        raw = json.loads(text)
        change(raw["fields"])
        return json.dumps(raw)

    def both_ways(new):
        return incompatibility(new, text) is None and incompatibility(text, new) is None

    first = json.loads(text)["fields"][0]["name"]
    nullable = {"name": "more", "type": ["null", "string"], "default": None}
    assert both_ways(changed(lambda fields: fields.append(nullable)))
    assert both_ways(changed(lambda fields: fields.append({"name": "more", "type": "long", "default": 0})))
    assert not both_ways(changed(lambda fields: fields.append({"name": "more", "type": "long"})))
    assert not both_ways(changed(lambda fields: fields.pop(0))), f"{first} has no default"
    assert not both_ways(changed(lambda fields: fields[0].update(name="renamed")))
    assert not both_ways(changed(lambda fields: fields[0].update(type=["null", fields[0]["type"]])))


@pytest.mark.parametrize("record", examples.RECORDS)
def test_records_are_flat_documented_and_nullable_fields_have_defaults(record):
    raw = json.loads(examples.contract(record).schema)
    assert raw["namespace"] == ("weir" if not record.startswith("requests.") else f"weir.{record.replace('-', '_')}")
    assert raw["doc"]
    assert all(field.get("doc") for field in raw["fields"])
    assert all(field["default"] is None for field in raw["fields"] if isinstance(field["type"], list))
    assert len(shape.parse(examples.contract(record).schema).fields) == len(raw["fields"])


def test_every_record_has_a_topic_and_every_topic_a_record():
    assert sorted(topic.record for topic in TOPICS) == sorted(examples.RECORDS)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_what_comes_of_a_request_has_as_many_partitions_as_the_requests():
    by_name = {topic.name: topic.partitions for topic in TOPICS}
    follow = {by_name[name] for name in ("weir.predictions", "weir.dead-letters", "weir.ledger")}
    assert follow == {by_name[f"weir.requests.{service}"] for service in SERVICES}


def test_dead_letters_may_be_larger_than_anything_they_carry():
    by_name = {topic.name: topic.max_message_bytes for topic in TOPICS}
    dead = by_name.pop("weir.dead-letters")
    assert dead >= 2 * max(by_name.values())


def test_request_topics_are_made_per_service():
    names = [topic.name for topic in schema_folder.topics(examples.SCHEMAS, ("a", "b"))]
    assert names[:3] == ["weir.requests.a", "weir.requests.b", "weir.predictions"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("topics: 3", "not a list of topics"),
        ("- a\n- b", "not a list of topics"),
        ("topics: [", "not a list of topics"),
        ("topics:\n- name: weir.x\n", "topic weir.x: KeyError"),
        ("topics:\n- weir.x\n", "topic weir.x is only a name"),
        ("topics:\n- name: weir/x\n", "topic weir/x: ValueError a name has"),
    ],
)
def test_a_faulty_list_of_topics_is_refused(tmp_path, text, says):
    (tmp_path / "topics.yaml").write_text(text)
    with pytest.raises(Refused, match=says):
        schema_folder.topics(tmp_path, ())


def test_missing_files_are_named(tmp_path):
    with pytest.raises(Refused, match="cannot read the list of topics"):
        schema_folder.topics(tmp_path, ())
    with pytest.raises(Refused, match="record nothing has versions"):
        schema_folder.versions(tmp_path, "nothing")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "v2.avsc").write_text("{}")
    with pytest.raises(Refused, match=r"record r has versions \[2\]"):
        schema_folder.versions(tmp_path, "r")
