"""What a person does: says something of an alert, under a name, and sends letters again: tried first, then for real."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from confluent_kafka import Consumer, TopicPartition
from weir.core.topics import subject_of
from weir.edges.clickhouse.client import connect
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.client import client_config
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish
from weir.wire.decode import Decoder

from tests.console.conftest import HERE
from tests.console.filled import DRIFTED, FLIGHTS, served
from tests.waiting import WAIT_S

ALERT = f"/alerts/{DRIFTED.key}-1"
OFFSET = 900_001  # of a letter that decodes, beyond all others
LETTER = f"{FLIGHTS.topic}/1/{OFFSET}@log"
TOKEN = re.compile(r'name="token" value="(\w+)"')


@pytest.fixture(scope="module")
def topics(recorded):
    """Settings with topics and contracts; one of the letters decodes."""
    publish(Registry(recorded.registry), recorded.paths.schemas_dir, declared(recorded))
    good = served(recorded)
    ensure(recorded, declared(recorded))
    row = {
        "source_log": "log",
        "source_topic": FLIGHTS.topic,
        "source_partition": 1,
        "source_offset": OFFSET,
        "service": FLIGHTS.service,
        "stage": "validate",
        "reason": "out_of_range",
        "detail": "amount = -14, below the lowest valid value 0",
        "key": "customer-7",
        "value": good,
        "rejected_at": datetime(2026, 11, 28, 19, 59, tzinfo=UTC),
        "log_id": "dlog",
        "log_topic": "weir.dead-letters",
        "log_partition": 0,
        "log_offset": OFFSET,
    }
    token = {"insert_deduplication_token": uuid.uuid4().hex}
    with connect(recorded.recording) as client:
        client.insert("dead_letters", [[*row.values()]], column_names=[*row], settings=token)
    return recorded


def last(settings, topic):
    """The newest record of a topic, decoded."""
    registry = Registry(settings.registry)
    ends = {source: end for source, (_, end) in bounds(settings.kafka, topic).items() if end}
    source, end = max(ends.items(), key=lambda item: item[1])
    consumer = Consumer({**client_config(settings.kafka, "tests"), "group.id": "tests"})
    consumer.assign([TopicPartition(*source, end - 1)])
    (message,) = consumer.consume(1, WAIT_S)
    consumer.close()
    decoder = Decoder(registry.contract(subject_of(topic)), registry.schema_text)
    return decoder.decode([message.value()], 10**7).rows.to_pylist()[0]


def test_an_alert_is_acknowledged_by_keyboard_under_a_name_that_is_remembered(page, topics):
    page.goto(ALERT)
    page.get_by_role("button", name="Acknowledge …").press("Enter")
    page.get_by_label("Your name").last.wait_for(state="attached")
    dialog = page.get_by_role("dialog", name="Acknowledge this alert?")
    dialog.get_by_label("Your name").fill("Ada")
    dialog.get_by_label("Why, for who looks at it after you").fill("the feed <b>changed</b> its unit")
    dialog.get_by_label("Why, for who looks at it after you").press("Enter")
    page.get_by_text("Acknowledged by Ada, as soon as the monitor worker reads it.").wait_for()
    note = last(topics, topics.kafka.names.alert_notes)
    assert (note["kind"], note["key"], note["by"]) == ("ack", DRIFTED.key, "Ada")
    assert note["reason"] == "the feed <b>changed</b> its unit"
    page.get_by_role("button", name="Silence …").press("Enter")
    silence = page.get_by_role("dialog", name="Silence this alert?")
    assert silence.get_by_label("Your name").input_value() == "Ada"
    silence.get_by_role("button", name="Leave it").press("Enter")
    silence.wait_for(state="hidden")


def test_an_alert_is_silenced_for_a_while(console, topics):
    token = TOKEN.search(console.get(ALERT).text)[1]
    form = {"token": token, "by": "Ada", "reason": "known", "for": "8h"}
    said = console.post(f"{ALERT}/silence", data=form, headers=HERE)
    assert said.status_code == 200
    assert "Silenced until" in said.text
    note = last(topics, topics.kafka.names.alert_notes)
    assert (note["kind"], note["key"]) == ("silence", DRIFTED.key)
    assert (note["until"] - note["at"]).total_seconds() == 8 * 3600


@pytest.mark.parametrize(
    "wrong", [{"by": ""}, {"reason": " "}, {"by": "x" * 100}, {"for": "100d"}, {"for": "soon"}, {"token": "0"}]
)
def test_what_is_not_whole_is_not_written(console, topics, wrong):
    topic = topics.kafka.names.alert_notes
    before = bounds(topics.kafka, topic)
    token = TOKEN.search(console.get(ALERT).text)[1]
    form = {"token": token, "by": "Ada", "reason": "known", "for": "8h"} | wrong
    said = console.post(f"{ALERT}/silence", data=form, headers=HERE)
    assert said.status_code == 403
    assert "Nothing was written." in said.text
    assert bounds(topics.kafka, topic) == before


def test_a_letter_is_decoded_tried_and_sent_again_once(console, topics):
    page = console.get(f"/dead-letters/{quote(LETTER, safe='')}")
    assert page.status_code == 200
    assert "Decoded under the contract of its service." in page.text
    assert "request-0" in page.text
    where = f"/dead-letters/redrive?service={FLIGHTS.service}&letter={quote(LETTER, safe='')}"
    ends = bounds(topics.kafka, FLIGHTS.topic)
    tried = console.get(where)
    assert "1 of 1 letters decode and would be sent; nothing has been sent yet" in tried.text
    assert bounds(topics.kafka, FLIGHTS.topic) == ends
    form = {"token": TOKEN.search(tried.text)[1], "service": FLIGHTS.service, "letter": LETTER}
    sent = console.post("/dead-letters/redrive", data=form, headers=HERE)
    assert "1 of 1 letters were sent again as batch 1." in sent.text
    again = console.post("/dead-letters/redrive", data=form, headers=HERE)
    assert "No open letter is chosen" in again.text
    came = bounds(topics.kafka, FLIGHTS.topic)
    assert sum(end for _, end in came.values()) == sum(end for _, end in ends.values()) + 1
    assert "sent again in batch 1" in console.get(f"/dead-letters/{quote(LETTER, safe='')}").text


def test_bytes_that_nobody_can_read_are_shown_as_they_came(console, topics):
    one = f"{FLIGHTS.topic}/0/1746@log"
    page = console.get(f"/dead-letters/{quote(one, safe='')}").text
    assert "It cannot be read: it does not decode." in page
    assert "00 00 00 00 07 0a 2f" in page
