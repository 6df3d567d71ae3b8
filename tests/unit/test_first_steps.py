"""The commands that `weir up` prints, for a service that nobody here knows."""

import re

import pytest
from weir.core.errors import Refused
from weir.core.signature import Dtype, Input, Signature, Source
from weir.operations import first_steps
from weir.settings import load
from weir.wire import request_contract

from tests.bundles import SIGNATURE


def made(tmp_path, signature, service="fraud"):
    folder = tmp_path / f"requests.{service}"
    folder.mkdir(exist_ok=True)
    (folder / "v1.avsc").write_text(request_contract.build(service, signature))
    return first_steps.request(load(schemas_dir=tmp_path), service, signature)


def test_a_request_is_one_that_the_model_takes(tmp_path):
    row = made(tmp_path, SIGNATURE)
    assert row == {
        "tenant": "",
        "team": "",
        "traceparent": None,
        "deadline": None,
        "customer": "example",
        "shop": 1,
        "amount": 500.0,
        "items": 50,
        "gift": True,
        "channel": "web",
    }


@pytest.mark.parametrize(
    ("low", "high", "value"), [(None, None, 1), (5, None, 5), (None, -5, -5), (None, 9, 1), (-2, None, 1), (3, 4, 3.5)]
)
def test_a_number_is_in_its_range(tmp_path, low, high, value):
    item = Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.FLOAT, low=low, high=high)
    assert made(tmp_path, Signature(inputs=(item,)))["x"] == value


@pytest.mark.parametrize(("low", "high", "value"), [(2.2, None, 3), (None, -0.3, -1), (0.6, 1.2, 1), (0.0, 0.9, 0)])
def test_a_whole_number_is_in_its_range(tmp_path, low, high, value):
    item = Input(name="x", source=Source.REQUEST, ref="x", dtype=Dtype.INT, low=low, high=high)
    assert made(tmp_path, Signature(inputs=(item,)))["x"] == value


def test_a_service_without_a_contract_is_refused(tmp_path):
    with pytest.raises(Refused, match=r"requests\.fraud"):
        first_steps.request(load(schemas_dir=tmp_path), "fraud", SIGNATURE)


def test_commands_pass_by_proxies_where_there_are_some(tmp_path, monkeypatch):
    made(tmp_path, SIGNATURE)
    for name in first_steps.PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    settings = load(schemas_dir=tmp_path, service="fraud")
    plain = dict(first_steps.commands(settings, {"fraud": SIGNATURE}))
    assert not any("proxy" in command for command in plain.values())
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    behind = dict(first_steps.commands(settings, {"fraud": SIGNATURE}))
    assert sum("no_proxy='*' " in command or "--noproxy '*'" in command for command in behind.values()) == 5


def test_the_line_for_another_shell_holds_no_secret(monkeypatch):
    monkeypatch.setenv("WEIR_ONLINE_STORE", "redis://:kept-from-you@store:6379/0")
    monkeypatch.setenv("WEIR_CLICKHOUSE_PASSWORD", "kept-from-you")
    line = first_steps.exports(load(clickhouse_database="other", home="a folder"))
    assert "kept-from-you" not in line
    assert line.startswith("export ")
    assert {"WEIR_HOME='a folder'", "WEIR_BROKERS=127.0.0.1:9092"} <= set(re.findall(r"WEIR_\w+=(?:'.*?'|\S+)", line))
    assert "WEIR_CLICKHOUSE_DATABASE=other" in line
