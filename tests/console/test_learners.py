"""What the console says of learners: by their newest states on Kafka, by the record, and without either."""

import csv
import io
import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from weir.learn.learner import Promotion, Terms
from weir.web.console import learned
from weir.web.console.app import make
from weir.web.console.panels import better, learner

from tests.console import learning
from tests.console.filled import FLIGHTS
from tests.console.learning import BETTER, NEW, STOPPED
from tests.console.stand import site
from tests.console.test_panels import charts, words
from tests.ports import free_port


@pytest.fixture(scope="module")
def shown(console):
    def ask(panel, learner=""):
        answer = console.get(f"/panel/{panel}", params={"learner": learner} if learner else {})
        assert answer.status_code == 200, answer.text
        return answer.text

    return ask


def test_learners_are_listed_with_how_they_stand(shown):
    said = words(shown("learners"))
    assert "no a person decides" in said
    assert "1 of 3 learn. “minutes” was stopped by guard weight." in said
    assert re.search(rf"{BETTER} StandardScaler \| LogisticRegression {FLIGHTS.service}.*promote 39 days", said)
    assert re.search(rf"{NEW} .* no state yet", said)


def test_a_learner_is_told_by_its_newest_state(shown):
    said = words(shown("learner", BETTER))
    assert "Yes. It has learned 52 345 outcomes." in said
    assert "The newest 8 of 21 that are kept" in said
    assert "Not yet." in words(shown("learner", NEW))
    said = words(shown("learner", STOPPED))
    assert "No. It was stopped by guard weight: the weight of wind is 1340, above 100. 37 outcomes have come" in said
    assert "weir learners resume minutes" in said


def test_who_answers_and_who_decides_is_said(recorded):
    here = site(recorded)
    try:
        found = learned.look(here.asker)
        rule = {name: replace(file, promotion=Promotion.AUTOMATIC) for name, file in found.files.items()}
        found = replace(found, files=rule, answering={FLIGHTS.service: BETTER})
        assert [(one, found.answers(one), found.decides(one)) for one in (BETTER, NEW)] == [
            (BETTER, True, "its rule decides"),
            (NEW, False, "its rule decides"),
        ]
        assert ("Answers", "yes, its rule decides") in learner.facts(found, BETTER)
        said = better.verdict(found.states[BETTER].compared, Terms(), answers=True).sentence
        assert said.startswith("Yes. It answers, and stays since")
    finally:
        here.asker.close()


def test_what_days_prove_is_said_drawn_and_given_as_rows(shown, console):
    html = shown("better", BETTER)
    assert "Yes. Promote it since" in words(html)
    by_day, gain = charts(html).values()
    assert [line["label"] for line in by_day["series"]] == ["learner", "champion", "no change"]
    assert len(by_day["t"]) == learning.DAYS
    assert by_day["series"][0]["values"].count(None) == 1  # the day that is missing
    (band,) = gain["bands"]
    assert band["low"].count(None) >= 19  # no interval before the 20th day
    assert 0 < band["low"][-1] < gain["series"][0]["values"][-1] < band["high"][-1]
    rows = list(csv.DictReader(io.StringIO(console.get(f"/learners/{BETTER}/days.csv").text)))
    assert len(rows) == 4 * (learning.DAYS - 1)
    last = next(row for row in reversed(rows) if row["who"] == "learner")
    drawn = by_day["series"][0]["values"][-1]
    assert float(f"{float(last['sum']) / int(last['requests']):.6g}") == drawn
    assert "a guard has stopped it" in words(shown("better", STOPPED))
    assert "Too early to say" in words(shown("better", NEW))
    assert console.get("/learners/none/days.csv").status_code == 404


def test_calls_are_those_of_the_record(shown):
    said = words(shown("calls"))
    assert "1 drift, 1 promotion, 1 promoted" in said
    assert "promoted, flight-delay by ada@desk Learner hybrid answers" in words(shown("calls", BETTER))
    assert "Nothing." in words(shown("calls", NEW))  # a promotion is of one learner; what drifts is another service
    assert "drift, eta-promise" in words(shown("calls", STOPPED))


def test_a_broker_that_is_away_takes_nothing_else_along(recorded):
    here = site(recorded.having(brokers=f"127.0.0.1:{free_port()}"))
    with TestClient(make(here), base_url="http://127.0.0.1:8300") as console:
        said = words(console.get("/panel/learners").text)
        assert "Nobody can say now" in said
        assert BETTER in said
        assert "1 drift" in words(console.get("/panel/calls").text)
        assert console.get(f"/learners/{BETTER}").status_code == 200
        assert learned.look(here.asker).away is not None


def test_a_project_without_learners_shows_those_of_the_record(recorded, tmp_path):
    here = site(recorded.having(learners_dir=tmp_path))
    try:
        assert here.frames.look().learners
        assert learned.look(here.asker).names == sorted([BETTER, STOPPED])
    finally:
        here.asker.close()


def test_versions_of_a_service_are_told_where_there_are_some(console):
    assert 'hx-get="/panel/released?' in console.get(f"/s/{FLIGHTS.service}").text
    assert 'hx-get="/panel/released?' not in console.get("/s/parcel-kind").text
    said = words(console.get("/panel/released", params={"service": FLIGHTS.service}).text)
    assert re.search(r"v8 since 28 Nov 12:00", said)
