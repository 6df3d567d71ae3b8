"""Every setting: read once from the environment (prefix WEIR_), frozen, its unit in its name, its reason beside it.

Secrets may also come from files: WEIR_SECRETS_DIR names a directory with one file per setting, as Docker and
Kubernetes mount them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent.parent


class Settings(BaseSettings):
    """Everything that differs between deployments. Raises pydantic.ValidationError naming every bad variable."""

    model_config = SettingsConfigDict(
        env_prefix="WEIR_", frozen=True, extra="ignore", secrets_dir=os.environ.get("WEIR_SECRETS_DIR")
    )

    # where things are
    home: Path = Path(".weir")  # everything a process writes
    schemas_dir: Path = ROOT / "schemas"  # contracts and topics.yaml
    feature_repo_dir: Path = ROOT / "feature_repo"  # Feast definitions
    bundles_dir: Path = Path(".weir/bundles")  # bundles by digest

    # Kafka
    brokers: str = "127.0.0.1:9092"  # host:port, comma-separated
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"  # to brokers
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"  # read when the protocol says SASL
    kafka_sasl_username: str = ""  # read when the protocol says SASL
    kafka_sasl_password: SecretStr = SecretStr("")  # read when the protocol says SASL
    kafka_ssl_ca_file: str = ""  # PEM; empty: the system's authorities
    kafka_ssl_certificate_file: str = ""  # PEM, shown to brokers that ask for one; empty: none
    kafka_ssl_key_file: str = ""  # PEM, of that certificate
    kafka_ssl_key_password: SecretStr = SecretStr("")  # of that key; empty: the key is not encrypted
    group_instance_id: str = ""  # own to each worker, kept over restarts, which then move nothing
    session_timeout_s: float = 45.0  # librdkafka's default; `weir up` sets 6, see edges.embedded
    fetch_wait_max_ms: int = 100  # a broker answers early when data comes, but for the embedded one
    fetch_queue_kbytes: int = 32_768  # librdkafka's prefetch per worker: bounds memory in a backlog
    chunk_max_records: int = 32_768  # records handed over per poll: no more than fit into a batch
    inflight_max_records: int = 131_072  # fetched and not yet acknowledged; polling pauses above it
    inflight_max_kbytes: int = 65_536  # the same in bytes of values, for records that are large
    compression: Literal["none", "lz4", "zstd"] = "lz4"  # of what workers write: a third of the bytes, 0.4 us a row
    commit_interval_s: float = 1.0  # what a crash replays at most, beside the work in flight

    # Schema Registry
    registry_url: str = "http://127.0.0.1:8081"  # Confluent's HTTP API
    registry_auth: SecretStr = SecretStr("")  # "user:password"

    # scoring
    service: str = "flight-delay"  # the scoring service: its requests are weir.requests.<service>
    bundle: str = ""  # path of a bundle folder, or its digest in bundles_dir
    variant: str = "champion"  # name on predictions of the bundle that is served
    clock: Literal["wall", "event"] = "wall"  # "event": a replay of the past, driven by its events
    batch_max_rows: int = 32_768  # in a backlog: a batch costs milliseconds beside its rows' share
    batch_max_wait_ms: float = 7.0  # for rows that share a batch's fixed cost of milliseconds
    latency_budget_ms: float = 50.0  # from the broker to a prediction: batches close in time for it
    max_record_bytes: int = 65_536  # a request is some hundred bytes; larger ones are dead letters
    dead_letter_limit: float = 0.05  # share of dead letters over the window past which the worker stops
    dead_letter_window: int = 10_000  # records; the share is of so many, also when fewer were read
    sink_budget_s: float = 30.0  # retrying a write; below the session timeout: stop before eviction

    # features
    online_store: str = "lmdb"  # "lmdb" (a directory under home) or a redis:// URL
    cache_max_keys: int = 200_000  # per view; 160 bytes a key measured
    cache_ttl_s: float = 60.0  # how old a cached read may be before the store is asked again
    lookup_budget_ms: float = 50.0  # a read takes 1 to 10 ms; more would break a p99 of 60 ms
    lookup_failures: int = 3  # in a row, then the store is not asked: one may be a hiccup
    lookup_retry_s: float = 1.0  # pause between trials then: each may cost a batch its budget
    canary_every_s: float = 30.0  # pause between comparisons of the scorer's features with Feast's
    canary_rows: int = 100  # entities per comparison

    # recording
    clickhouse_url: str = "http://127.0.0.1:8123"  # HTTP interface
    clickhouse_user: str = "default"  # may create and alter tables for `weir migrate`
    clickhouse_password: SecretStr = SecretStr("")  # of clickhouse_user
    clickhouse_database: str = "weir"  # made by `weir migrate`
    block_max_rows: int = 50_000  # an insert has a fixed cost of about 10 ms
    redrive_settle_s: float = 60.0  # twice the sink budget: a redrive cut short sends no more by then
    ledger_every_s: float = 300.0  # pause between the recorder looking at the ledger; a scan
    ledger_settle_s: int = 30  # a row may lack its other half: a killed recorder is back in 15
    block_max_wait_s: float = 1.0  # how late a prediction may be in ClickHouse at low rates

    # telemetry
    http_host: str = "127.0.0.1"  # metrics and health pages
    http_port: int = 0  # 0: a free port, printed in the log
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"  # of Weir; libraries speak from WARNING
    log_format: Literal["json", "console"] = "json"  # console: for a person at a terminal
    traces_endpoint: str = ""  # OTLP/HTTP; empty: no spans are made

    # embedded services
    embedded_broker: Literal["tansu", "kafka"] = "tansu"  # tansu: in memory, up at once; kafka: needs Java 17
    kafka_libs_dir: Path = Field(default=Path(".weir/kafka/libs"))  # jars of Apache Kafka, see infra/kafka/README.md


def load() -> Settings:
    """The settings of this process."""
    return Settings()
