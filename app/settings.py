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

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything that differs between deployments. Raises pydantic.ValidationError naming every bad variable."""

    model_config = SettingsConfigDict(
        env_prefix="WEIR_", frozen=True, extra="ignore", secrets_dir=os.environ.get("WEIR_SECRETS_DIR")
    )

    # where things are
    home: Path = Path(".weir")                      # everything a process writes
    schemas_dir: Path = ROOT / "schemas"
    feature_repo_dir: Path = ROOT / "feature_repo"
    bundles_dir: Path = Path(".weir/bundles")

    # Kafka
    brokers: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_ca_file: str = ""
    session_timeout_s: float = 45.0                 # librdkafka's default; `weir up` sets 6, see edges.embedded
    fetch_wait_max_ms: int = 100                    # a broker answers early when data comes, but for the embedded one
    fetch_queue_kbytes: int = 32_768                # librdkafka's prefetch per worker: bounds memory in a backlog
    chunk_max_records: int = 4096                   # records handed over per poll; past this a chunk gains nothing
    inflight_max_records: int = 32_768              # fetched and not yet acknowledged; polling pauses above it
    commit_interval_s: float = 1.0                  # what a crash replays at most, beside the work in flight

    # Schema Registry
    registry_url: str = "http://127.0.0.1:8081"
    registry_auth: SecretStr = SecretStr("")        # "user:password"

    # scoring
    service: str = "flight-delay"
    bundle: str = ""                                # path of a bundle folder, or its digest in bundles_dir
    variant: str = "champion"
    clock: Literal["wall", "event"] = "wall"        # "event": time is what the newest request says, for replays
    batch_max_rows: int = 4096                      # the cost curve is flat from about 256 rows (facts: 7.1 us a row)
    batch_max_wait_ms: float = 2.0                  # a longer wait gains few rows at low rates and costs latency
    max_record_bytes: int = 65_536                  # a request is some hundred bytes; bounds a batch to 256 MiB
    dead_letter_limit: float = 0.05                 # share of dead letters over the window past which the worker stops
    dead_letter_window: int = 10_000                # records; nothing is judged before so many have been read
    sink_budget_s: float = 30.0                     # retrying a write; below the session timeout: stop before eviction

    # features
    online_store: str = "lmdb"                      # "lmdb" (a directory under home) or a redis:// URL
    cache_max_keys: int = 200_000                   # per view; 160 bytes a key measured
    cache_ttl_s: float = 60.0                       # how old a cached read may be before the store is asked again
    canary_every_s: float = 30.0
    canary_rows: int = 100

    # recording
    clickhouse_url: str = "http://127.0.0.1:8123"
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_database: str = "weir"
    block_max_rows: int = 50_000                    # an insert has a fixed cost of about 10 ms
    block_max_wait_s: float = 1.0

    # telemetry
    http_host: str = "127.0.0.1"                    # metrics and health pages
    http_port: int = 0                              # 0: a free port, printed in the log
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    traces_endpoint: str = ""                       # OTLP/HTTP; empty: no spans are made

    # embedded services
    embedded_broker: Literal["tansu", "kafka"] = "tansu"
    kafka_libs_dir: Path = Field(default=Path(".weir/kafka/libs"))  # jars of Apache Kafka, see infra/kafka/README.md


def load() -> Settings:
    """The settings of this process."""
    return Settings()
