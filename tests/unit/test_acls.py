"""ACLs from the declaration of the topics: each role has those of its topics and of its own groups, and no more."""

import re

import pytest
from typer.testing import CliRunner
from weir.cli.topics import cli
from weir.core.errors import Refused
from weir.core.topics import Names
from weir.edges.kafka.acls import acls
from weir.edges.kafka.topics import declared
from weir.edges.schemas import folder as schema_folder
from weir.settings import load

SETTINGS = load(service="one")  # beside the services of the folder schemas/


def of_role(role, principals=None):
    found = [acl for acl in acls(SETTINGS, principals) if acl.role == role]
    return {(acl.principal, acl.operation, acl.on) for acl in found}


def test_the_declared_groups_are_those_that_workers_join():
    names = Names("staging")
    assert schema_folder.groups(SETTINGS.paths.schemas_dir, "staging", "other") == {
        "scorer": names.scorers("{service}"),
        "shadow": names.shadow("{service}", "*"),
        "recorder": names.recorder("other"),
        "features": names.features,
        "monitor": names.monitor,
        "learner": names.learner,
    }


def test_the_declared_topics_are_those_that_workers_use():
    settings = SETTINGS.having(deployment="staging")
    names = Names("staging")
    written = {names.predictions, names.shadows, names.dead_letters, names.ledger, names.batches}
    shared = written | {names.bundles, names.outcomes}
    shared |= {names.measurements, names.alerts, names.alert_notes, names.actions}
    shared |= {names.labelled, names.learner_snapshots}
    shared |= {"staging.events.flights"}
    flights = ("flight-delay", "flight-delay-minutes", "flight-delay-class")
    requests = {names.requests(service) for service in ("one", *flights)}
    assert {topic.name for topic in declared(settings)} == shared | requests


def test_two_deployments_on_one_cluster_have_no_topic_group_or_principal_in_common():
    def of(deployment):
        found = acls(SETTINGS.having(deployment=deployment))
        return {acl.on for acl in found}, {acl.principal for acl in found}

    for ours, theirs in zip(of("production"), of("staging"), strict=True):
        assert ours
        assert not ours & theirs


def test_callers_see_no_dead_letter_and_nobodys_answers_unless_they_subscribe():
    assert {on for _, acl, on in of_role("applications") if acl == "Read"} == set()
    read = {on for _, acl, on in of_role("subscribers") if acl == "Read"}
    assert read == {"topic weir.predictions", "group weir.subscribers.*"}


def test_nobody_has_more_than_topics_and_groups_of_the_declaration():
    names = {topic.name for topic in declared(SETTINGS)}
    found = acls(SETTINGS)
    assert {acl.kind for acl in found} == {"topic", "group"}
    assert {acl.name for acl in found if acl.kind == "topic"} == names
    assert not [acl for acl in found if acl.kind == "topic" and acl.prefixed]
    assert {acl.operation for acl in found if acl.role != "setup"} == {"Read", "Write"}


def test_a_recorder_reads_and_writes_nothing():
    assert of_role("recorder") == {
        ("User:weir-recorder", "Read", "group weir.recorder.weir"),
        *(
            ("User:weir-recorder", "Read", f"topic weir.{name}")
            for name in (
                *("predictions", "shadows", "bundles", "outcomes", "dead-letters", "ledger", "batches"),
                *("measurements", "alerts", "alert-notes", "actions"),
            )
        ),
    }


def test_a_role_without_a_group_of_its_own_has_those_named_after_it():
    assert ("User:weir-operators", "Read", "group weir.operators.*") in of_role("operators")
    assert not [on for _, _, on in of_role("business systems") if on.startswith("group")], "it reads nothing"


def test_a_principal_for_each_service_has_no_right_on_the_requests_of_another():
    found = of_role("scorer", {"scorer": "User:score-{service}"})
    own = {on for principal, _, on in found if principal == "User:score-one"}
    assert own == {
        "group weir.scorer.one",
        "topic weir.requests.one",
        "topic weir.predictions",
        "topic weir.bundles",
        "topic weir.dead-letters",
        "topic weir.ledger",
        "topic weir.learner-snapshots",
        "topic weir.batches",
    }


def test_no_two_services_variants_or_deployments_share_a_group_and_no_prefix_covers_anothers():
    words = ("fraud", "fraud-x", "x", "x-y", "y", "fraud_x", "shadow", "scorer-fraud")
    made = [name for d in words for name in names_of(Names(d), words)]
    assert len(set(made)) == len(made)
    prefixes = {f"{d}.shadow.{service}." for d in words for service in words}
    for prefix in prefixes:
        assert len([name for name in made if name.startswith(prefix)]) == len(words)


def names_of(names, words):
    own = [names.features, names.predictions, names.shadows, names.dead_letters, names.ledger]
    own += [names.batches, names.bundles, names.measurements, names.alerts, names.alert_notes, names.actions]
    own += [names.monitor, names.learner, names.labelled, names.learner_snapshots]
    for word in words:
        own += [names.scorers(word), names.requests(word), names.recorder(word)]
        own += [names.shadow(word, variant) for variant in words]
    return own


def test_a_role_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(Refused, match=r"there is no role scorr in schemas/topics.yaml: name one of .*recorder, scorer"):
        acls(SETTINGS, {"scorr": "User:x"})


def test_the_command_shows_calls_of_kafkas_own_tool():
    shown = CliRunner().invoke(cli, ["acls", "--commands", "--principal", "operators=User:CN=shop"])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert len(lines) == len(acls(load()))
    assert all(
        re.match(r"kafka-acls\.sh --bootstrap-server \S+ --add --allow-principal \S+ --operation ", line)
        for line in lines
    )
    (groups,) = [line for line in lines if "--group weir.operators." in line]
    assert groups.endswith(
        "--allow-principal User:CN=shop --operation Read --group weir.operators. --resource-pattern-type prefixed"
    )


def test_a_principal_without_a_role_is_a_mistake_in_the_call():
    assert CliRunner().invoke(cli, ["acls", "--principal", "User:x"]).exit_code == 2
