"""The groups of settings, as they are declared: each with its unit in its name, its bounds, what it means and why.

A part of Weir takes the group that it uses.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from weir import project
from weir.core.errors import Refused
from weir.core.topics import DEPLOYMENT, SERVICE, VARIANT, Names

PREFIX: Final = "WEIR_"


def setting(default: Any, what: str, why: str = "", **bounds: Any) -> Any:
    """A field of a group. what: what it means; why: why it has this default; bounds: pydantic's, such as ge and le."""
    return Field(default, description=what, json_schema_extra={"why": why}, **bounds)


def _in_project(name: str, what: str, why: str) -> Any:
    """A field whose default is a folder or a file of the project."""
    return Field(default_factory=lambda: project.root() / name, description=what, json_schema_extra={"why": why})


def _in_home(name: str, what: str, why: str) -> Any:
    """A field whose default is a folder under home."""
    return Field(
        default_factory=lambda known: known.get("home", Path(".weir")) / name,
        description=what,
        json_schema_extra={"why": why},
    )


_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"  # a name, IPv4, or IPv6 in brackets
_PORT_MAX: Final = 65_535
KEY_LETTERS: Final = 32  # of a key that seals: 128 bits where it is written in hexadecimal


def _brokers(value: str) -> str:
    parts = [part.strip() for part in value.split(",")]
    found = [re.fullmatch(rf"{_HOST}:(\d{{1,5}})", part) for part in parts]
    if not all(match and 1 <= int(match[1]) <= _PORT_MAX for match in found):
        raise ValueError("write host:port, several with commas between them")
    return ",".join(parts)


def _url(value: str) -> str:
    """An http or https URL, or nothing."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if value and (not good or any(letter.isspace() for letter in value)):
        raise ValueError("write a URL, such as http://host:port")
    return value


def _given(value: str) -> str:
    if not value:
        raise ValueError("write a URL, such as http://host:port")
    return value


def _online_store(value: str) -> str:
    parts = urlsplit(value)
    if value != "lmdb" and not (parts.scheme in ("redis", "rediss", "unix") and (parts.hostname or parts.path)):
        raise ValueError("write lmdb, or a URL such as redis://host:port/0")
    return value


def _sign_in(value: SecretStr) -> SecretStr:
    user, colon, _ = value.get_secret_value().partition(":")
    if value.get_secret_value() and not (user and colon):
        raise ValueError('write "user:password"')
    return value


def _long(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and len(value.get_secret_value()) < KEY_LETTERS:
        raise ValueError(f"write {KEY_LETTERS} letters or more, such as `openssl rand -hex 32` gives")
    return value


def _host(value: str) -> str:
    if not re.fullmatch(rf"{_HOST}|[0-9A-Fa-f:.]+", value):
        raise ValueError("write a host name or an address")
    return value


Url = Annotated[str, AfterValidator(_url), AfterValidator(_given)]


class Group(BaseSettings):
    """What all groups have in common: read from the environment, frozen, checked."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", validate_default=False, allow_inf_nan=False
    )


class PathSettings(Group):
    """Where things are."""

    home: Path = _in_project(".weir", "folder for everything that a process writes", "of the project")
    schemas_dir: Path = _in_project(
        "schemas",
        "the project's own contracts and topics.yaml",
        "of the project; beside those that the package carries",
    )
    services_dir: Path = _in_project(
        "services", "the project's services: a folder each, with service.yaml", "of the project"
    )
    monitors_dir: Path = _in_project(
        "monitors", "the project's questions about what is recorded, a .sql file each", "of the project"
    )
    queries_dir: Path = _in_project(
        "queries",
        "the project's saved queries, a .sql file each: `weir query` and the console ask them",
        "of the project",
    )
    notify_file: Path = _in_project(
        "notify.yaml", "who is notified of alerts; without it the worker's log alone", "of the project"
    )
    slos_dir: Path = _in_project("slos", "the project's objectives, a .yaml file each", "of the project")
    learners_dir: Path = _in_project("learners", "the project's learners, a .yaml file each", "of the project")
    runbook_dir: Path = _in_project(
        "runbook", "the project's entries of the run-book, a .md file each, before those of Weir", "of the project"
    )
    prices_file: Path = _in_project("prices.yaml", "the project's price book and budgets", "of the project")
    feature_repo_dir: Path = _in_project("feature_repo", "the project's Feast definitions", "of the project")
    bundles_dir: Path = _in_home("bundles", "model bundles, a folder named by its digest each", "follows WEIR_HOME")
    kafka_libs_dir: Path = _in_home(
        "kafka/libs",
        "jars of the Apache Kafka that `weir up` starts; what is missing there is fetched once",
        "follows WEIR_HOME; several homes may share one",
    )


# The project's folders, of which a project may lack some.
PROJECT_FOLDERS = (
    "schemas_dir",
    "services_dir",
    "monitors_dir",
    "queries_dir",
    "slos_dir",
    "learners_dir",
    "runbook_dir",
    "feature_repo_dir",
)


class KafkaSettings(Group):
    """Kafka."""

    brokers: Annotated[str, AfterValidator(_brokers)] = setting(
        "127.0.0.1:9092", "brokers to connect to first: host:port, several with commas between them"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "PLAINTEXT", "how to speak to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "SCRAM-SHA-512", "SASL mechanism; read when the protocol says SASL"
    )
    kafka_sasl_username: str = setting("", "SASL user; read when the protocol says SASL")
    kafka_sasl_password: SecretStr = setting(SecretStr(""), "SASL password; read when the protocol says SASL")
    kafka_ssl_ca_file: str = setting(
        "", "PEM file of the authorities that sign the brokers' certificates", "empty: the system's authorities"
    )
    kafka_ssl_certificate_file: str = setting("", "PEM file of the certificate that brokers are shown", "empty: none")
    kafka_ssl_key_file: str = setting("", "PEM file of that certificate's key")
    kafka_ssl_key_password: SecretStr = setting(
        SecretStr(""), "password of that key", "empty: the key is not encrypted"
    )
    deployment: str = setting(
        "weir",
        "what the names of topics and consumer groups begin with",
        "give each of several deployments on one cluster its own",
        pattern=f"^{DEPLOYMENT}$",
    )
    group_instance_id: str = setting(
        "", "static name of this worker in its consumer group", "set one per worker: a restart then moves no partitions"
    )
    session_timeout_s: float = setting(
        45.0, "silence after which the group gives a worker's partitions away", "librdkafka's default", ge=1, le=300
    )
    fetch_wait_max_ms: int = setting(
        100,
        "how long a broker may wait for data before it answers a fetch",
        "it answers early when data comes",
        ge=1,
        le=30_000,
    )
    fetch_queue_kbytes: int = setting(
        8_192,
        "fetched and waiting in librdkafka, per worker, KiB",
        "bounds memory in a backlog; what waits longer has left the processor's cache when it is read",
        ge=1,
        le=2_097_151,
    )
    chunk_max_records: int = setting(
        32_768, "records that one poll hands over", "no more than fit into a batch", ge=1, le=10_000_000
    )
    inflight_max_records: int = setting(
        65_536, "records fetched and not yet acknowledged, above which polling pauses", "bounds memory", ge=1, le=10**9
    )
    inflight_max_kbytes: int = setting(
        65_536, "the same in KiB of values", "bounds memory where records are large", ge=1, le=2**30
    )
    compression: Literal["none", "lz4", "zstd"] = setting(
        "lz4", "compression of what workers write", "a third of the bytes for 0.4 us a row"
    )
    metadata_refresh_s: float = setting(
        10.0, "how late a partition that was added is seen", "one small request a client", gt=0, le=300
    )
    commit_interval_s: float = setting(
        1.0, "pause between commits", "what a crash replays at most, beside the work in flight", gt=0, le=3600
    )
    sink_budget_s: float = setting(
        30.0, "how long a write is tried again before the worker stops", "covers a broker's restart", ge=0, le=3600
    )

    @property
    def names(self) -> Names:
        """Topics and groups of this deployment."""
        return Names(self.deployment)


class RegistrySettings(Group):
    """Schema Registry."""

    registry_url: Url = setting("http://127.0.0.1:8081", "address of a registry with Confluent's HTTP API")
    registry_ca_file: str = setting(
        "", "PEM file of the authorities that sign the registry's certificate", "empty: the system's authorities"
    )
    registry_auth: Annotated[SecretStr, AfterValidator(_sign_in)] = setting(
        SecretStr(""), 'sign-in, "user:password"', "empty: none is sent"
    )


class ScoringSettings(Group):
    """Scoring."""

    service: str = setting(
        "",
        "scoring service; its requests are on <deployment>.requests.<service>",
        "a project names its own",
        pattern=f"^({SERVICE})?$",
    )
    bundle: str = setting("", "bundle to serve: a folder, or a digest in WEIR_BUNDLES_DIR")
    variant: str = setting("champion", "name that predictions of this bundle carry", pattern=f"^{VARIANT}$")
    runtime_policy: Literal["warn", "refuse"] = setting(
        "warn",
        "what a worker does with a bundle that was built with another release of ONNX Runtime, its major or minor "
        "version: says so, or does not start",
        "golden rows are scored at every start, so no score is off by more than the tolerance; refuse where bits count",
    )
    engine: Literal["auto", "onnxruntime"] = setting(
        "auto",
        "what scores tree ensembles: a kernel of Weir's own where it agrees with ONNX Runtime, or ONNX Runtime always",
        "the kernel is several times as fast; both are within a bundle's tolerance of each other, not the same bits",
    )
    clock: Literal["wall", "event"] = setting(
        "wall", 'what "now" is for the age of features', '"event" replays the past by the times of its events'
    )
    batch_max_rows: int = setting(
        32_768, "rows in a batch at most", "in a backlog a batch's fixed cost of milliseconds is shared", ge=1, le=10**7
    )
    batch_max_wait_ms: float = setting(
        7.0, "how long a batch waits for more rows", "they share its fixed cost of milliseconds", ge=0, le=60_000
    )
    latency_budget_ms: float = setting(
        50.0,
        "from the broker to the prediction; batches close in time for it",
        "an interactive caller's",
        gt=0,
        le=3_600_000,
    )
    max_record_bytes: int = setting(
        65_536, "largest request; a larger one is a dead letter", "a request is some hundred bytes", ge=1, le=2**27
    )
    dead_letter_limit: float = setting(
        0.05, "share of dead letters over the window above which the worker stops", "1: never", ge=0, le=1
    )
    dead_letter_window: int = setting(
        10_000, "records in that window", "the share is of so many, also when fewer were read", ge=1, le=10**9
    )

    @property
    def named_service(self) -> str:
        """The service. Raises Refused where none is named."""
        if not self.service:
            raise Refused("no scoring service is named", where="the environment", remedy="set WEIR_SERVICE")
        return self.service


class FeatureSettings(Group):
    """Features."""

    online_store: Annotated[str, AfterValidator(_online_store)] = setting(
        "lmdb", '"lmdb", a folder under home, or a redis:// URL'
    )
    cache_max_keys: int = setting(
        200_000, "keys kept in a worker's cache, per view", "160 bytes a key measured", ge=1, le=10**8
    )
    cache_ttl_s: float = setting(60.0, "age above which a cached read is made again", "", ge=0, le=86_400)
    lookup_budget_ms: float = setting(
        50.0,
        "how long a batch waits for the online store",
        "a read takes 1 to 10 ms; p99 is to stay below 60",
        gt=0,
        le=60_000,
    )
    lookup_failures: int = setting(
        3, "failed reads in a row after which the store is left alone", "one may be a hiccup", ge=1, le=1_000_000
    )
    lookup_retry_s: float = setting(
        1.0, "pause between tries then", "each may cost a batch its lookup budget", gt=0, le=3600
    )
    canary_every_s: float = setting(
        30.0, "pause between comparisons of the scorer's features with Feast's", "", gt=0, le=86_400
    )
    canary_rows: int = setting(100, "entities per comparison", "", ge=1, le=100_000)


class RecordingSettings(Group):
    """Recording."""

    clickhouse_url: Url = setting("http://127.0.0.1:8123", "address of ClickHouse's HTTP interface")
    clickhouse_ca_file: str = setting(
        "", "PEM file of the authorities that sign ClickHouse's certificate", "empty: the system's authorities"
    )
    clickhouse_user: str = setting("default", "user of workers and of `weir migrate`, which creates and alters tables")
    clickhouse_password: SecretStr = setting(SecretStr(""), "password of WEIR_CLICKHOUSE_USER")
    clickhouse_reader: str = setting(
        "reader",
        "user of the console and of dashboards; one that may do more than read is refused",
        "the embedded ClickHouse and the compose stack have it; infra/clickhouse/reader.xml makes it on another server",
    )
    clickhouse_reader_password: SecretStr = setting(
        SecretStr(""), "password of WEIR_CLICKHOUSE_READER", "empty: that of WEIR_CLICKHOUSE_USER"
    )
    clickhouse_database: str = setting(
        "weir", "database of Weir's tables", "made by `weir migrate`", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"
    )
    block_max_rows: int = setting(
        50_000,
        "rows in one insert; four times as many gather",
        "an insert has a fixed cost, and what gathers is held in memory",
        ge=1,
        le=10_000_000,
    )
    block_max_wait_s: float = setting(
        1.0, "how long a row waits for its insert at most", "how late a prediction is at low rates", ge=0, le=3600
    )
    redrive_settle_s: float = setting(
        60.0,
        "pause after which a redrive that was cut short sends no more",
        "at least twice the sink budget",
        ge=0,
        le=86_400,
    )
    ledger_every_s: float = setting(
        300.0, "pause between the recorder's looks at the ledger", "a scan", gt=0, le=86_400
    )
    ledger_settle_s: int = setting(
        30,
        "how long a row may lack its other half before the ledger calls it missing",
        "a killed recorder takes 15",
        ge=0,
        le=86_400,
    )


class MonitoringSettings(Group):
    """Monitoring."""

    monitor_every_s: float = setting(
        10.0,
        "pause between two looks for windows that are due",
        "how late a figure is, beside its window",
        gt=0,
        le=3600,
    )
    monitor_lateness_s: float = setting(
        60.0,
        "how far event times have to be beyond a window's end before it counts as complete",
        "callers and their queues are seconds late; what comes later makes the window anew",
        ge=0,
        le=86_400,
    )
    monitor_late_days: float = setting(
        31.0, "how far back windows are made anew when late records come", "outcomes take weeks", gt=0, le=3660
    )
    monitor_first_windows: int = setting(
        1000,
        "windows that a monitor begins with where it has found nothing yet",
        "six weeks of hours",
        ge=1,
        le=100_000,
    )
    monitor_query_max_s: float = setting(
        30.0, "how long the query of a monitor may take", "one that takes longer holds up all others", gt=0, le=3600
    )
    monitor_retrain: str = setting(
        "",
        "monitors whose alert proposes to train the service anew when it fires: drift/features outcome/*",
        "empty: none; the header of a project's own monitor says `action: retrain`",
    )
    monitor_failures: int = setting(
        3, "failures in a row after which an alert says that a monitor fails", "one may be a hiccup", ge=1, le=1000
    )
    monitor_retry_max_s: float = setting(
        3600.0,
        "longest pause before a monitor that fails is tried again",
        "its files may have been mended",
        gt=0,
        le=86_400,
    )
    learner_publish_s: float = setting(
        1.0,
        "pause between two states of a learner that are written, and that requests may be answered by",
        "an outcome is in a state that is written within two seconds",
        ge=0,
        le=3600,
    )
    learner_key: Annotated[SecretStr, AfterValidator(_long)] = setting(
        SecretStr(""),
        "secret that seals the states of learners whose models can be kept as pickles only: 32 letters or more",
        "empty: they are not kept, and begin anew from 30 days of log at each start",
    )


class TelemetrySettings(Group):
    """Telemetry."""

    http_host: Annotated[str, AfterValidator(_host)] = setting(
        "127.0.0.1", "address of a worker's metrics and health pages"
    )
    http_port: int = setting(0, "port of these pages", "0: a free one, printed in the log", ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "INFO", "lowest level of Weir's own log lines", "libraries speak from WARNING"
    )
    log_format: Literal["json", "console"] = setting("json", "form of log lines", "console: for a person at a terminal")
    traces_endpoint: Annotated[str, AfterValidator(_url)] = setting(
        "", "OTLP/HTTP address for spans", "empty: no spans are made"
    )


class EmbeddedSettings(Group):
    """Embedded services."""

    embedded_broker: Literal["kafka", "tansu"] = setting(
        "kafka",
        "broker that `weir up` starts",
        "kafka: Apache Kafka, any client, its log stays; tansu: in memory, up at once, few clients",
    )
    kafka_jars_url: Url = setting(
        "https://repo1.maven.org/maven2", "Maven repository that Apache Kafka's jars are fetched from", "Maven Central"
    )


class ConsoleSettings(Group):
    """The console."""

    console_token: SecretStr = setting(
        SecretStr(""),
        "what a person signs in with, at least 16 characters",
        "empty: none is asked for; a console that is served beyond this machine needs one",
    )
