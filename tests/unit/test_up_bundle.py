"""Which bundle `weir up` serves."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from weir.core.errors import Refused, Unavailable
from weir.edges.bundles import folder
from weir.operations import challengers, contract, following_promotions, learner_bundle, local, serving
from weir.operations.answering import Answering
from weir.operations.serving import remember
from weir.settings import load

from tests.bundles import tiny_bundle
from tests.unit.test_served_learner import row, state


@pytest.fixture
def bundles(tmp_path):
    """Two of service a, one of b; the newest last."""
    made = [
        tiny_bundle(tmp_path, service=service, version=version)
        for service, version in (("a", "1"), ("b", "1"), ("a", "2"))
    ]
    for age, path in enumerate(made):
        os.utime(path / "bundle.yaml", (age, age))
    return made


@pytest.fixture
def settings(tmp_path):
    return lambda **more: load(home=tmp_path, **more)


def choose(asked, settings, **more):
    """The bundle that is asked for, or the only one that is served."""
    served = serving.choose([asked] if asked else (), settings, contracts=False, **more).served.values()
    [chosen] = [choice for choice in served if not asked or str(choice.path) == asked]
    return chosen


def test_a_bundle_says_its_service(bundles, settings):
    for path in bundles:
        service = "b" if path == bundles[1] else "a"
        for given in (([str(path)], settings()), ((), settings(bundle=path.name[:12]))):
            chosen = serving.choose(*given, contracts=False).served[service]
            assert (chosen.path, chosen.bundle.service) == (path, service)
    with pytest.raises(Refused, match=r"is for service b, not a .*leave WEIR_SERVICE or --only away"):
        choose(str(bundles[1]), settings(service="a"))


def test_of_one_service_the_newest_is_served(bundles, settings):
    assert choose("", settings(service="a"))[0] == bundles[2]
    assert choose("", settings(service="b"))[0] == bundles[1]


def test_every_service_is_served_and_of_each_its_newest(bundles, settings, monkeypatch):
    served = serving.choose((), settings(), contracts=False).served
    assert {service: choice.path for service, choice in served.items()} == {"a": bundles[2], "b": bundles[1]}
    served = serving.choose([str(bundles[0])], settings(), contracts=False).served
    assert {service: choice.path for service, choice in served.items()} == {"a": bundles[0], "b": bundles[1]}
    assert list(serving.choose((), settings(), only=["b"], contracts=False).served) == ["b"]
    monkeypatch.setenv("WEIR_SERVICE", "b")
    assert choose("", settings())[0] == bundles[1]
    assert list(serving.choose((), settings(), only=["a"], contracts=False).served) == ["a"]
    with pytest.raises(Unavailable, match=r"no model bundle of service c to serve .*b: tiny-logistic 1"):
        choose("", settings(service="c"))
    with pytest.raises(Refused, match=r"is for service a, not b"):
        serving.choose([str(bundles[0])], settings(), only=["b"])
    with pytest.raises(Refused, match=r"two bundles of service a are named"):
        serving.choose([str(bundles[0]), str(bundles[2])], settings())


def test_a_service_that_cannot_be_served_takes_none_along_unless_it_was_named(bundles, settings, tmp_path):
    project = settings(schemas_dir=tmp_path, services_dir=tmp_path / "services")
    contract.write(contract.draft(project, choose("", settings(service="a")).bundle))
    (tmp_path / "services" / "c").mkdir(parents=True)
    (tmp_path / "services" / "c" / "service.yaml").touch()
    choices = serving.choose((), project)
    assert list(choices.served) == ["a"]
    assert "`weir bundle contract" in choices.absent["b"]
    assert choices.absent["c"].endswith("run `weir bundle build c`")
    with pytest.raises(Refused, match="there is none"):
        serving.choose((), project, only=["a", "b"])
    with pytest.raises(Refused, match="there is none"):
        serving.choose([str(bundles[1])], project)


def test_a_project_without_a_service_is_served_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable, match="weir service add"):
        serving.choose((), load())
    (tmp_path / "weir.yaml").touch()
    assert serving.choose((), load()) == ({}, {})


def test_a_bundle_that_was_changed_is_none(bundles, settings):
    (bundles[2] / "card.md").write_text("other words")
    assert choose("", settings(service="a"))[0] == bundles[0]
    with pytest.raises(Refused, match="was changed after it was built"):
        choose(str(bundles[2]), settings())


def test_what_was_named_is_served_until_the_newest_is_asked_for(bundles, settings):
    assert choose("", settings(service="a")).why == "the newest of service a"
    back = choose(str(bundles[0]), settings())
    assert back.why == "--bundle names it"
    remember(settings(), back)
    again = choose("", settings(service="a"))
    assert (again.path, again.why.startswith("it was named or promoted before; --newest")) == (bundles[0], True)
    assert choose("", settings(service="a", bundle=str(bundles[2]))).why == "WEIR_BUNDLE names it"
    assert choose("", settings(service="b")).path == bundles[1]
    newest = choose("", settings(service="a", bundle=str(bundles[0])), newest=True)
    assert newest.path == bundles[2]
    remember(settings(), newest)
    assert choose("", settings(service="a")).why == "the newest of service a"


def test_what_was_named_in_one_folder_is_found_from_another(bundles, settings, monkeypatch):
    monkeypatch.chdir(bundles[0].parent)
    chosen = choose(str(bundles[0]), settings())
    remember(settings(), chosen._replace(path=Path(bundles[0].name)))
    monkeypatch.chdir("/")
    assert choose("", settings(service="a")).path == bundles[0]


def test_a_bundle_that_was_named_and_is_gone_is_not_replaced_in_silence(bundles, settings, tmp_path):
    elsewhere = tiny_bundle(tmp_path / "elsewhere", service="c", version="1")
    remember(settings(), choose(str(elsewhere), settings()))
    assert choose("", settings(service="c")).path == elsewhere
    shutil.rmtree(elsewhere)
    with pytest.raises(Refused, match=r"is gone .*--newest"):
        choose("", settings(service="c"))


def test_without_a_contract_nothing_is_started(bundles, settings, tmp_path):
    bundle = choose("", settings(service="a")).bundle
    project = settings(schemas_dir=tmp_path)
    with pytest.raises(Refused, match=rf"there is none .*`weir bundle contract {bundle.short_digest} --write`"):
        contract.check(project, bundle)
    contract.write(contract.draft(project, bundle))
    contract.check(project, bundle)
    path = tmp_path / "requests.a" / "v1.avsc"
    path.write_text(path.read_text().replace('"amount"', '"sum"'))
    with pytest.raises(Refused, match=r"no version has what it asks for: field amount is not in it"):
        contract.check(project, bundle)


def test_what_was_named_is_remembered_by_service(bundles, settings):
    there = settings()
    choices = serving.choose([str(bundles[0]), str(bundles[1])], there, contracts=False)
    serving.remember_all(there, choices, newest=False)
    assert serving.remembered(there) == {"a": str(bundles[0]), "b": str(bundles[1])}
    again = serving.choose((), there, contracts=False)
    serving.remember_all(there, again, newest=False)
    assert again.served["a"].path == bundles[0]
    newest = serving.choose((), there, only=["a"], newest=True, contracts=False)
    serving.remember_all(there, newest, newest=True)
    assert serving.remembered(there) == {"b": str(bundles[1])}


class Workers:
    """Those that were started, in their order; `ended`: what they are called that have ended since."""

    def __init__(self):
        self.started, self.ended, self.chosen, self.asking = [], set(), {}, {}

    def start(self, role, *options, name, **environment):
        if role == "golden":
            assert (environment["WEIR_SERVICE"], name in self.asking) == ("a", False)
            self.asking[name] = environment["WEIR_BUNDLE"]
            return
        assert options[:2] == ("--follow", "--chosen")
        self.chosen[name] = options[2]
        assert environment.pop("WEIR_SERVICE") == "a"
        self.started.append((role, name, environment.pop("WEIR_BUNDLE")))
        self.ended.discard(name)

    def end(self, name):
        self.asking.pop(name, None)

    @property
    def children(self):
        return {name: Child(75 if name in self.ended else None) for _, name, _ in self.started}


@dataclass
class Child:
    status: int | None

    def poll(self):
        return self.status


def test_what_a_promotion_left_in_shadow_is_started_beside_what_answers(bundles, settings):
    old, other, new = bundles
    challengers.remember(settings(), "a", old)
    challengers.remember(settings(), "b", other)
    workers = Workers()
    answering = Answering(workers, settings(), lambda line: None)
    answering.start_scorers(serving.choose([str(new)], settings(), contracts=False, only=["a"]))
    answering.start_shadows()
    answering.start_shadows()
    assert workers.started == [("scorer", "scorer", str(new)), ("shadow", "shadow-a", str(old))]


def test_what_was_promoted_is_served_as_soon_as_its_scorer_has_ended(bundles, settings):
    """And back; a scorer that ends for another reason stays ended."""
    old, _, new = bundles
    workers, said = Workers(), []
    answering = Answering(workers, settings(), said.append)
    answering.start_scorers(serving.choose([str(old)], settings(), contracts=False, only=["a"]))
    over = following_promotions.scorer_is_over(settings(service="a"), old, "")
    shadow_over = following_promotions.shadow_is_over(settings(service="a"), old, "")
    workers.ended = {"scorer"}
    answering.look()
    assert (len(workers.started), answering.changing(), over()) == (1, set(), False)
    workers.ended = set()
    for answers, beside in ((new, old), (old, new)):
        bundle = folder.read(answers).bundle
        challengers.remember(settings(), "a", beside)
        serving.remember(settings(), serving.Chosen(answers, bundle, "promoted", by_name=True))
        answering.look()
        count = len(workers.started)
        assert "scorer" in answering.changing()
        workers.ended = {"scorer", "shadow-a"} & answering.changing()
        answering.look()
        assert workers.started[count:] == [("scorer", "scorer", str(answers)), ("shadow", "shadow-a", str(beside))]
        assert answering.changing() == set()
        assert over() == (answers == new)
        assert shadow_over() == (beside == new)
    assert following_promotions.of_service(settings(bundle="a")).scoring.bundle == str(old)
    assert following_promotions.of_service(settings(bundle=str(new))).scoring.bundle == str(new)
    assert said[0] == f"a is answered by {new.name[:12]} from here on, and no more by {old.name[:12]}"


def chosen(settings, path):
    serving.remember(settings, serving.Chosen(path, folder.read(path).bundle, "", by_name=True))


def test_known_answers_are_asked_of_what_answers_and_of_no_learner(bundles, settings):
    old, _, new = bundles
    workers = Workers()
    answering = Answering(workers, settings(), lambda line: None)
    answering.start_scorers(serving.choose([str(old)], settings(), contracts=False, only=["a"]))
    answering.look()
    assert workers.asking == {}  # not before scorers are ready, and where it is wanted
    answering.ask_for_known()
    assert workers.asking == {"golden": str(old)}
    chosen(settings(), new)
    workers.ended = {"scorer"}
    answering.look()
    assert workers.asking == {"golden": str(new)}
    chosen(settings(), learner_bundle.build(settings(), row(state(1), of={"service": "a"}, service="a"), old))
    workers.ended = {"scorer"}
    answering.look()
    assert workers.asking == {}


def test_what_is_promoted_while_workers_start_is_served(bundles, settings):
    """A rule finishes so what a killed one began: its worker starts with the scorers, and is faster than they are."""
    old, _, new = bundles
    workers = Workers()
    answering = Answering(workers, settings(), lambda line: None)
    answering.start_scorers(serving.choose([str(old)], settings(), contracts=False, only=["a"]))
    chosen(settings(), new)
    late = following_promotions.scorer_is_over(settings(service="a"), old, workers.chosen["scorer"])
    assert late(), "its process looks for the first time when that was promoted"
    assert answering.changing() == {"scorer"}
    workers.ended = {"scorer"}
    answering.look()
    assert workers.started[1:] == [("scorer", "scorer", str(new))]


def test_what_was_chosen_before_may_be_chosen_again(bundles, settings):
    """Of --bundle or WEIR_BUNDLE a start is that what was chosen for earlier ones does not end it."""
    old, _, new = bundles
    chosen(settings(), old)
    workers = Workers()
    answering = Answering(workers, settings(), lambda line: None)
    answering.start_scorers(serving.choose([str(new)], settings(), contracts=False, only=["a"]))
    over = following_promotions.scorer_is_over(settings(service="a"), new, workers.chosen["scorer"])
    answering.look()
    assert (over(), answering.changing()) == (False, set())
    chosen(settings(), new)  # once it is ready
    answering.look()
    assert (over(), answering.changing()) == (False, set())
    chosen(settings(), old)
    assert (over(), answering.changing()) == (True, {"scorer"})


def test_a_scorer_does_not_end_for_a_bundle_that_is_not_there(bundles, settings):
    old, _, new = bundles
    workers = Workers()
    answering = Answering(workers, settings(), lambda line: None)
    answering.start_scorers(serving.choose([str(old)], settings(), contracts=False, only=["a"]))
    over = following_promotions.scorer_is_over(settings(service="a"), old, "")
    chosen(settings(), new)
    aside = new.rename(new.with_name("aside"))
    answering.look()
    assert (over(), answering.changing()) == (False, set())
    aside.rename(new)
    assert (over(), answering.changing()) == (True, {"scorer"})


class Stack:
    """A child that has ended."""

    def __init__(self, child):
        self.child = child

    def ended(self):
        return [self.child]


class Ended:
    name = "scorer"

    def check(self):
        raise Unavailable("it has ended", remedy="")


def test_a_scorer_that_ends_for_a_promotion_while_all_start_ends_nothing_else(monkeypatch):
    workers = local.Workers(Stack(Ended()))
    workers._pages = {"scorer": "old"}
    monkeypatch.setattr(local, "_answers", lambda url: url == "new/ready")
    with pytest.raises(Unavailable, match="it has ended"):
        workers.wait_ready(needed=["scorer"])
    pages = iter(("old", "new"))
    look = lambda: workers._pages.update(scorer=next(pages))  # noqa: E731
    workers.wait_ready(needed=["scorer"], look=look, changing=lambda: {"scorer"})


def test_what_was_built_while_another_answers_does_not_answer(bundles, settings):
    """Or a promotion would put a bundle in shadow that nobody served, and its way back would let it answer."""
    old, _, new = bundles
    assert serving.answering(settings(), "a").path == new, "what would be served, where nothing was"
    choices = serving.Choices({"a": serving.Chosen(old, folder.read(old).bundle, "")}, {})
    Answering(Workers(), settings(), lambda line: None).start_scorers(choices)
    assert serving.answering(settings(), "a").path == old
    chosen(settings(), new)
    assert serving.answering(settings(), "a").path == new
