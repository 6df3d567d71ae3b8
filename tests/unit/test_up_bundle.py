"""Which bundle `weir up` serves."""

import os
import shutil

import pytest
from weir.core.errors import Refused, Unavailable
from weir.operations import contract
from weir.operations.serving import choose, remember
from weir.settings import load

from tests.bundles import tiny_bundle


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


def test_a_bundle_says_its_service(bundles, settings):
    for path in bundles:
        for chosen, bundle, _ in (choose(str(path), settings()), choose("", settings(bundle=path.name[:12]))):
            assert chosen == path
            assert bundle.service == ("b" if path == bundles[1] else "a")
    with pytest.raises(Refused, match=r"is for service b, not a .*leave WEIR_SERVICE away"):
        choose(str(bundles[1]), settings(service="a"))


def test_of_one_service_the_newest_is_served(bundles, settings):
    assert choose("", settings(service="a"))[0] == bundles[2]
    assert choose("", settings(service="b"))[0] == bundles[1]


def test_of_several_services_none_is_guessed(bundles, settings, monkeypatch):
    with pytest.raises(Refused, match=r"bundles of several services") as refused:
        choose("", settings())
    for path in bundles:
        assert f"--bundle {path.name[:12]}" in str(refused.value)
    assert "a: tiny-logistic 2" in str(refused.value)
    monkeypatch.setenv("WEIR_SERVICE", "b")
    assert choose("", settings())[0] == bundles[1]
    with pytest.raises(Unavailable, match=r"no model bundle of service c to serve .*b: tiny-logistic 1"):
        choose("", settings(service="c"))


def test_a_bundle_that_was_changed_is_none(bundles, settings):
    (bundles[2] / "card.md").write_text("other words")
    assert choose("", settings(service="a"))[0] == bundles[0]
    with pytest.raises(Refused, match="was changed after it was built"):
        choose(str(bundles[2]), settings())


def test_what_was_named_is_served_until_the_newest_is_asked_for(bundles, settings):
    assert choose("", settings(service="a")).why == "the newest of service a"
    back = choose(str(bundles[0]), settings())
    assert back.why == "--bundle names it"
    remember(settings(), back, by_name=True)
    again = choose("", settings(service="a"))
    assert (again.path, again.why.startswith("--bundle named it before; --newest")) == (bundles[0], True)
    assert choose("", settings(service="a", bundle=str(bundles[2]))).why == "WEIR_BUNDLE names it"
    assert choose("", settings(service="b")).path == bundles[1]
    newest = choose("", settings(service="a", bundle=str(bundles[0])), newest=True)
    assert newest.path == bundles[2]
    remember(settings(), newest, by_name=False)
    assert choose("", settings(service="a")).why == "the newest of service a"


def test_a_bundle_that_was_named_and_is_gone_is_not_replaced_in_silence(bundles, settings, tmp_path):
    elsewhere = tiny_bundle(tmp_path / "elsewhere", service="c", version="1")
    remember(settings(), choose(str(elsewhere), settings()), by_name=True)
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


def test_the_one_that_was_named_before_is_served_though_there_are_other_services(bundles, settings):
    there = settings()
    remember(there, choose(str(bundles[2]), there), by_name=True)
    assert choose("", there)[0] == bundles[2]
