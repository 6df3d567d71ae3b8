"""What every librdkafka client of Weir has in common: addresses, security, and errors that name the broker."""

from __future__ import annotations

from typing import Any

from weir.setting_groups import KafkaSettings


def addresses(settings: KafkaSettings) -> list[tuple[str, int]]:
    """Host and port of each broker that is connected to first, as sockets take them.

    >>> from weir.settings import load
    >>> addresses(load(brokers="kafka-1:9092,[::1]:9093").kafka)
    [('kafka-1', 9092), ('::1', 9093)]
    """
    parts = (address.rpartition(":") for address in settings.brokers.split(","))
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


def client_config(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """librdkafka configuration shared by consumers, producers and admin clients."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.brokers,
        "client.id": client_id,
        "security.protocol": settings.kafka_security_protocol,
        "topic.metadata.refresh.interval.ms": int(settings.metadata_refresh_s * 1000),
        "log_level": 0,  # its lines on stderr would only repeat what reaches us as errors
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password.get_secret_value(),
        }
    if settings.kafka_ssl_ca_file:
        config["ssl.ca.location"] = settings.kafka_ssl_ca_file
    if settings.kafka_ssl_certificate_file:
        config |= {
            "ssl.certificate.location": settings.kafka_ssl_certificate_file,
            "ssl.key.location": settings.kafka_ssl_key_file,
            "ssl.key.password": settings.kafka_ssl_key_password.get_secret_value(),
        }
    return config


def consumer_config(settings: KafkaSettings, group: str) -> dict[str, Any]:
    """librdkafka configuration of a worker's consumer; public so that tests can look at it."""
    return client_config(settings, group) | {
        "group.id": group,
        **({"group.instance.id": settings.group_instance_id} if settings.group_instance_id else {}),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",  # what a producer took back was never asked
        "auto.offset.reset": "error",  # we say where to begin; a log cut short must not go unseen
        "partition.assignment.strategy": "range",  # equal partition numbers of several topics meet in one worker
        "topic.metadata.refresh.interval.ms": 5000,  # so soon a topic made anew, or a partition added, is dealt out
        "session.timeout.ms": int(settings.session_timeout_s * 1000),
        "heartbeat.interval.ms": int(settings.session_timeout_s * 1000 / 6),
        "fetch.wait.max.ms": settings.fetch_wait_max_ms,
        "queued.max.messages.kbytes": settings.fetch_queue_kbytes,
        "fetch.error.backoff.ms": 50,
        "fetch.queue.backoff.ms": 20,  # by default a full queue is looked at again after a second
    }
