"""What a person does: says something of an alert, under a name, and sends letters again: tried first, then for real."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from confluent_kafka import Consumer, TopicPartition
from weir.core.topics import subject_of
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.client import client_config
from weir.edges.schemas.registry import Registry
from weir.wire.decode import Decoder

from tests.console.conftest import HERE
from tests.console.filled import DRIFTED, FLIGHTS
from tests.console.letters import IDS
from tests.waiting import WAIT_S

ALERT = f"/alerts/{DRIFTED.key}-1"
LETTER, OTHER = IDS
TOKEN = re.compile(r'name="token" value="(\w+)"')


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
    page.get_by_role("button", name="Silence …").press("Enter")
    silence.get_by_label("For how long").press("a")  # as a list is chosen from by its first letter
    silence.get_by_label("Why, for who looks at it after you").fill("known")
    silence.get_by_label("Why, for who looks at it after you").press("Enter")
    page.get_by_text(re.compile(r"Silenced until .* by Ada, as soon as the monitor worker reads it\.")).wait_for()
    note = last(topics, topics.kafka.names.alert_notes)
    assert (note["kind"], note["reason"], note["until"] - note["at"]) == ("silence", "known", timedelta(days=1))


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
    form = {"token": TOKEN.search(tried.text)[1], "service": FLIGHTS.service, "letter": LETTER, "by": "Ada"}
    for nobody in ("", " ", "x" * 81):
        unsaid = console.post("/dead-letters/redrive", data=form | {"by": nobody}, headers=HERE)
        assert unsaid.status_code == 409
        assert "Nothing was sent." in unsaid.text
    sent = console.post("/dead-letters/redrive", data=form, headers=HERE)
    assert "1 of 1 letters were sent again as batch 1." in sent.text
    again = console.post("/dead-letters/redrive", data=form, headers=HERE)
    assert "No open letter is chosen" in again.text
    came = bounds(topics.kafka, FLIGHTS.topic)
    assert sum(end for _, end in came.values()) == sum(end for _, end in ends.values()) + 1
    assert "sent again by Ada in batch 1" in console.get(f"/dead-letters/{quote(LETTER, safe='')}").text


def test_bytes_that_nobody_can_read_are_shown_as_they_came(console, topics):
    one = f"{FLIGHTS.topic}/0/1746@log"
    page = console.get(f"/dead-letters/{quote(one, safe='')}").text
    assert "It cannot be read: it does not decode." in page
    assert "00 00 00 00 07 0a 2f" in page


def test_a_letter_is_sent_again_by_keyboard_under_a_name(page, topics):
    page.goto(f"/dead-letters/{quote(OTHER, safe='')}?range=7d")
    page.get_by_role("link", name="Try redrive").press("Enter")
    page.get_by_role("button", name="Send 1 again …").press("Enter")
    dialog = page.get_by_role("dialog", name="Send 1 letters again?")
    dialog.get_by_role("button", name="Leave it").press("Enter")
    dialog.wait_for(state="hidden")
    page.get_by_role("button", name="Send 1 again …").press("Enter")
    page.keyboard.type("Grace")  # its name is where one begins
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("1 of 1 letters were sent again as batch")).wait_for()
    page.goto(f"/dead-letters/{quote(OTHER, safe='')}")
    page.get_by_text(re.compile("sent again by Grace in batch")).wait_for()
