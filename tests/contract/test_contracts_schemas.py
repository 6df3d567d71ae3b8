"""Every schema: versions read each other both ways, topics and records agree, fields are documented."""

import itertools
import json

import pytest
from weir.core.errors import Refused
from weir.edges.schemas import folder as schema_folder
from weir.wire import shape
from weir.wire.compatibility import incompatibility

from tests import examples

GENERIC_RECORDS = {path.name for path in schema_folder.GENERIC.iterdir() if path.is_dir()}
SERVICES = schema_folder.services(examples.SCHEMAS)
TOPICS = schema_folder.topics(examples.SCHEMAS, SERVICES, "weir")
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
    """What README.md beside the schemas says of changes, said by the checker, on each record as it is."""
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
    follow = {by_name[name] for name in ("weir.predictions", "weir.shadows", "weir.dead-letters", "weir.ledger")}
    assert follow == {by_name[f"weir.requests.{service}"] for service in SERVICES}


def test_dead_letters_may_be_larger_than_anything_they_carry():
    by_name = {topic.name: topic.max_message_bytes for topic in TOPICS}
    dead = by_name.pop("weir.dead-letters")
    assert dead >= 2 * max(by_name.values())


def test_request_topics_are_made_per_service():
    names = [topic.name for topic in schema_folder.topics(examples.SCHEMAS, ("a", "b"), "weir")]
    assert names[:3] == ["weir.requests.a", "weir.requests.b", "weir.predictions"]


ENTRY = """topics:
- name: weir.x
  record: x
  partitions: 1
  retention_hours: 1
  max_message_bytes: 1
  writers: []
  readers: []
  doc: X.
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("topics: 3", "topics: Input should be a valid tuple"),
        ("- a\n- b", "there is no list of topics"),
        ("topics: [", "the list of topics is no YAML"),
        ("topics:\n- name: weir.x\n", "topic weir.x, record: Field required"),
        ("topics:\n- weir.x\n", "topic weir.x: Input should be a valid dictionary"),
        ("tpics: []\n", "tpics: Extra inputs are not permitted"),
        (ENTRY.replace("name: weir.x", "name: weir/x"), "topic weir/x: no name for a topic"),
        (ENTRY.replace("partitions: 1", "partitions: 0"), "topic weir.x, partitions: .*greater than or equal to 1"),
        (ENTRY.replace("writers: []", "writers: scorer"), "topic weir.x, writers: .*valid tuple"),
        (ENTRY + "  retention: 3\n", "topic weir.x, retention: Extra inputs"),
    ],
)
def test_a_faulty_list_of_topics_is_refused(tmp_path, text, says):
    (tmp_path / "topics.yaml").write_text(text)
    with pytest.raises(Refused, match=says):
        schema_folder.topics(tmp_path, (), "weir")


def test_a_project_without_anything_has_what_every_project_has(tmp_path):
    found = schema_folder.topics(tmp_path / "nowhere", ("a",), "weir")
    assert {topic.record for topic in found} == {"requests.a", *GENERIC_RECORDS}
    assert all(schema_folder.versions(tmp_path / "nowhere", record) for record in GENERIC_RECORDS)
    assert schema_folder.services(tmp_path / "nowhere") == ()
    assert set(schema_folder.groups(tmp_path / "nowhere", "weir", "weir")) == {
        "scorer",
        "shadow",
        "recorder",
        "features",
        "monitor",
        "learner",
    }


def test_a_project_adds_topics_records_and_groups_of_its_own(tmp_path):
    (tmp_path / "topics.yaml").write_text(f"{ENTRY}groups: {{desk: desk-of-ours}}\n")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "v1.avsc").write_text("{}")
    assert [topic.name for topic in schema_folder.topics(tmp_path, (), "weir")][-1] == "weir.x"
    assert schema_folder.versions(tmp_path, "x") == ("{}",)
    assert schema_folder.groups(tmp_path, "weir", "weir")["desk"] == "desk-of-ours"


@pytest.mark.parametrize("named", [False, True])
def test_a_project_redefines_what_every_project_has_only_if_it_says_so(tmp_path, named):
    text = ENTRY.replace("weir.x", "weir.ledger").replace("record: x", "record: ledger") + "groups: {recorder: r}\n"
    said = "replaces: [weir.ledger, recorder, ledger]\n"
    (tmp_path / "topics.yaml").write_text(text + said * named)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "v1.avsc").write_text("{}")
    if named:
        topics = {topic.name: topic for topic in schema_folder.topics(tmp_path, (), "weir")}
        assert topics["weir.ledger"].partitions == 1
        assert topics["weir.predictions"].partitions > 1
        assert schema_folder.groups(tmp_path, "weir", "weir")["recorder"] == "r"
        assert schema_folder.versions(tmp_path, "ledger") == ("{}",)
        return
    with pytest.raises(Refused, match=r"weir\.ledger: .*`replaces: \[weir\.ledger\]`"):
        schema_folder.topics(tmp_path, (), "weir")
    with pytest.raises(Refused, match=r"recorder: .*replaces"):
        schema_folder.groups(tmp_path, "weir", "weir")
    with pytest.raises(Refused, match=r"ledger: .*replaces"):
        schema_folder.versions(tmp_path, "ledger")


def test_missing_versions_are_named(tmp_path):
    with pytest.raises(Refused, match="record nothing has no version"):
        schema_folder.versions(tmp_path, "nothing")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "v2.avsc").write_text("{}")
    with pytest.raises(Refused, match="record r has versions 2"):
        schema_folder.versions(tmp_path, "r")


@pytest.mark.parametrize("service", ["a.b", "7th", "Fraud Service", "x" * 101])
def test_a_folder_that_names_no_service_is_refused(tmp_path, service):
    (tmp_path / f"requests.{service}").mkdir()
    with pytest.raises(Refused, match="no name of a service"):
        schema_folder.topics(tmp_path, schema_folder.services(tmp_path), "weir")
