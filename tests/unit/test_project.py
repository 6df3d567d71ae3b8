"""The project's folder: found from anywhere in it, its settings checked as those of the environment are."""

from pathlib import Path

import pytest
from weir import project
from weir.core.errors import Refused
from weir.settings import default_of, load, sources


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project, and a working folder inside it."""
    (tmp_path / "services" / "fraud").mkdir(parents=True)
    (tmp_path / project.FILE).write_text("# settings\n")
    monkeypatch.chdir(tmp_path / "services" / "fraud")
    monkeypatch.delenv("WEIR_KAFKA_LIBS_DIR", raising=False)
    return tmp_path


def say(folder, text):
    (folder / project.FILE).write_text(text)


def test_paths_begin_at_the_project_wherever_the_command_runs(folder, monkeypatch):
    assert load().paths.schemas_dir == folder / "schemas"
    assert load().paths.services_dir == folder / "services"
    assert load().paths.kafka_libs_dir == folder / ".weir" / "kafka" / "libs"
    assert load(home="/elsewhere").paths.bundles_dir.as_posix() == "/elsewhere/bundles"
    monkeypatch.chdir(folder)
    assert load().paths.home.as_posix() == ".weir"
    monkeypatch.chdir("/")
    monkeypatch.setenv("WEIR_PROJECT", str(folder))
    assert load().paths.home == folder / ".weir"
    assert default_of("feature_repo_dir") == folder / "feature_repo"


def test_without_a_project_paths_begin_at_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project.found() is None
    assert load().paths.schemas_dir.as_posix() == "schemas"


def test_a_folder_that_is_no_project_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIR_PROJECT", str(tmp_path))
    with pytest.raises(Refused, match="WEIR_PROJECT names no project"):
        load()


def test_values_are_typed_as_those_of_the_environment_which_wins(folder, monkeypatch, tmp_path):
    say(
        folder,
        "WEIR_SERVICE: fraud\nWEIR_HTTP_PORT: 8080\nWEIR_CACHE_TTL_S: 1e1\nWEIR_BUNDLE: 010\nWEIR_LOG_LEVEL: INFO",
    )
    monkeypatch.setenv("weir_log_level", "ERROR")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "weir_http_port").write_text("9090")
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(secrets))
    settings = load(variant="b")
    assert (settings.scoring.service, settings.scoring.bundle, settings.features.cache_ttl_s) == ("fraud", "010", 10.0)
    assert (settings.telemetry.http_port, settings.telemetry.log_level) == (9090, "ERROR")
    found = sources(settings)
    assert found["service"] == str(folder / project.FILE)
    assert found["http_port"] == str(secrets / "weir_http_port")
    assert (found["log_level"], found["variant"], found["brokers"]) == ("environment", "given", "default")


def test_paths_are_relative_to_the_file_that_says_them(folder):
    (folder / "avro").mkdir()
    say(
        folder,
        "WEIR_SCHEMAS_DIR: avro\nWEIR_HOME: /var/weir\nWEIR_REGISTRY_CA_FILE: ca.pem\nWEIR_KAFKA_SSL_CA_FILE: ''",
    )
    settings = load()
    assert settings.paths.schemas_dir == folder / "avro"
    assert settings.paths.bundles_dir.as_posix() == "/var/weir/bundles"
    assert settings.registry.registry_ca_file == str(folder / "ca.pem")
    assert settings.kafka.kafka_ssl_ca_file == ""
    say(folder, "WEIR_HOME: ~/weir")
    assert load().paths.home == Path.home() / "weir"


def test_a_bundle_is_named_by_folder_from_the_file_or_by_digest_or_service(folder, monkeypatch):
    for name in ("fraud", "built/one"):
        (folder / name).mkdir(parents=True)
    (folder / "nested").mkdir()
    monkeypatch.chdir(folder / "nested")
    for said, meant in (("built/one", str(folder / "built/one")), ("0fe1", "0fe1"), ("fraud", "fraud")):
        say(folder, f"WEIR_BUNDLE: {said}")
        assert load().scoring.bundle == meant
    (folder / "fraud" / "bundle.yaml").touch()
    assert load().scoring.bundle == str(folder / "fraud")
    monkeypatch.setenv("WEIR_BUNDLE", "built/one")
    assert load().scoring.bundle == "built/one"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("WEIR_BROKRS: a:1", "WEIR_BROKRS is no setting: did you mean WEIR_BROKERS"),
        ("service: fraud", "service is no setting"),
        ("WEIR_HTTP_PORT: 99999", "WEIR_HTTP_PORT"),
        ("WEIR_HTTP_PORT: 8e3", "WEIR_HTTP_PORT"),
        ("WEIR_SCHEMAS_DIR: nowhere", "WEIR_SCHEMAS_DIR: no folder"),
        ("WEIR_CLICKHOUSE_PASSWORD: x", "WEIR_CLICKHOUSE_PASSWORD holds a secret"),
        ("WEIR_ONLINE_STORE: redis://:word@store:6379/0", "WEIR_ONLINE_STORE holds a secret"),
        ("WEIR_SERVICE: [a, b]", "not names with values"),
        ("- a", "not names with values"),
        ("a", "not names with values"),
        ("WEIR_SERVICE: {", "no YAML"),
        ("WEIR_SERVICE: a\nWEIR_SERVICE: b", "WEIR_SERVICE is set twice"),
        ("WEIR_SERVICE: &a x\n? [1]\n: y", "not names with values"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_file(folder, text, says):
    say(folder, text)
    with pytest.raises(Refused, match=says) as refused:
        load()
    assert str(folder / project.FILE) in str(refused.value)
    assert "word@" not in str(refused.value)
