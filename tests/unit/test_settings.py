"""Settings: every number has bounds and every text a form; what is wrong is refused by name, all at once."""

import annotated_types
import pytest
from confluent_kafka import Consumer as RdConsumer
from confluent_kafka import KafkaException
from confluent_kafka import Producer as RdProducer
from weir.core.errors import Refused
from weir.edges.kafka.client import client_config, consumer_config
from weir.settings import GROUP_OF, fields, load, variable_of

NUMBERS = {name: field for name, field in fields().items() if field.annotation in (int, float)}


def bounds(field):
    """Lowest and highest value that are taken, as far as they are declared."""
    step = 1 if field.annotation is int else 1e-6
    low = high = None
    for rule in field.metadata:
        match rule:
            case annotated_types.Ge(ge=bound):
                low = bound
            case annotated_types.Gt(gt=bound):
                low = bound + step
            case annotated_types.Le(le=bound):
                high = bound
    return low, high


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_range_is_refused_by_name(name, monkeypatch):
    low, high = bounds(NUMBERS[name])
    assert low is not None, "no lower bound"
    assert high is not None, "no upper bound"
    for value in (low - 1, high + 1, "nan", "inf", "-inf", "", "x", "1e400", "9" * 5000):
        monkeypatch.setenv(variable_of(name), str(value))
        with pytest.raises(Refused, match=variable_of(name)):
            load()


@pytest.mark.parametrize("name", [name for name in NUMBERS if GROUP_OF[name] == "kafka"])
def test_librdkafka_takes_both_ends_of_every_range(name):
    for value in bounds(NUMBERS[name]):
        settings = load().having(**{name: value}).kafka
        RdConsumer(consumer_config(settings, "tests")).close()
        RdProducer(client_config(settings, "tests"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brokers", "broker"),
        ("brokers", "broker:0"),
        ("brokers", "broker:99999"),
        ("brokers", "bro ker:9092"),
        ("brokers", "one:9092,"),
        ("brokers", "http://one:9092"),
        ("registry_url", "registry:8081"),
        ("registry_url", ""),
        ("registry_url", "ftp://registry"),
        ("registry_url", "http://registry:99999"),
        ("registry_url", "http://[::1"),
        ("registry_auth", "only-a-user"),
        ("registry_auth", ":password"),
        ("clickhouse_url", "http://"),
        ("clickhouse_url", "tcp://clickhouse:9000"),
        ("clickhouse_database", "a-b; DROP"),
        ("traces_endpoint", "collector:4318"),
        ("online_store", "memcached://x"),
        ("online_store", "redis://"),
        ("http_host", "not a host"),
        ("http_host", ""),
        ("service", "Fraud Service!"),
        ("service", "a.b"),
        ("service", "7th"),
        ("service", "a\n"),
        ("service", "x" * 101),
        ("variant", ""),
        ("variant", "a.b"),
        ("variant", "*"),
        ("deployment", "a b"),
        ("deployment", "a.b"),
        ("kafka_security_protocol", "TLS"),
        ("kafka_sasl_mechanism", "MAGIC"),
        ("compression", "gzip"),
        ("log_level", "LOUD"),
        ("clock", "sun"),
        ("embedded_broker", "rabbit"),
    ],
)
def test_a_text_of_another_form_is_refused_by_name(name, value, monkeypatch):
    monkeypatch.setenv(variable_of(name), value)
    with pytest.raises(Refused, match=variable_of(name)) as refused:
        load()
    assert "pydantic" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brokers", "a:1, b.c-d:65535,[::1]:9092"),
        ("registry_url", "https://user:word@registry.example/path"),
        ("registry_auth", "user:pass:word"),
        ("traces_endpoint", ""),
        ("online_store", "rediss://:word@store:6379/0"),
        ("http_host", "::"),
        ("service", ""),
        ("service", "card-fraud_2-eu"),
    ],
)
def test_a_text_of_the_form_is_taken(name, value, monkeypatch):
    monkeypatch.setenv(variable_of(name), value)
    assert load()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"sink_budget_s": 40, "redrive_settle_s": 79}, "WEIR_REDRIVE_SETTLE_S: should be 80 or more"),
        ({"kafka_ssl_certificate_file": "cert.pem"}, "WEIR_KAFKA_SSL_KEY_FILE"),
        ({"chunk_max_records": 100, "inflight_max_records": 99}, "WEIR_CHUNK_MAX_RECORDS"),
        ({"schemas_dir": "/nowhere"}, "WEIR_SCHEMAS_DIR: no folder"),
        ({"feature_repo_dir": "/nowhere"}, "WEIR_FEATURE_REPO_DIR: no folder"),
    ],
)
def test_values_that_disagree_are_refused_by_name(values, says):
    with pytest.raises(Refused, match=says):
        load(**values)


def test_all_that_is_wrong_is_named_at_once(monkeypatch):
    for name, value in (("HTTP_PORT", "x"), ("BROKERS", "y"), ("BLOCK_MAX_ROWS", "0")):
        monkeypatch.setenv(f"WEIR_{name}", value)
    with pytest.raises(Refused, match=r"(?=.*WEIR_HTTP_PORT)(?=.*WEIR_BROKERS)(?=.*WEIR_BLOCK_MAX_ROWS)"):
        load()


@pytest.mark.parametrize("name", ["WEIR_BRIKERS", "weir_brikers"])
def test_a_misspelt_variable_or_file_is_named_with_the_nearest(name, monkeypatch, tmp_path):
    monkeypatch.setenv(name, "x")
    with pytest.raises(Refused, match="WEIR_BRIKERS is no setting: did you mean WEIR_BROKERS"):
        load()
    monkeypatch.delenv(name)
    (tmp_path / name).write_text("x")
    (tmp_path / "somebody_elses").write_text("x")
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(tmp_path))
    with pytest.raises(Refused, match="WEIR_BRIKERS is no setting"):
        load()


def test_kafka_settings_that_librdkafka_refuses_are_refused_by_weir():
    from weir.edges.kafka.admin import metadata

    settings = load(kafka_security_protocol="SSL", kafka_ssl_ca_file="/nowhere/ca.pem").kafka
    with pytest.raises(KafkaException):
        RdProducer(client_config(settings, "tests"))
    with pytest.raises(Refused, match="WEIR_KAFKA_"):
        metadata(settings, 0.1)
