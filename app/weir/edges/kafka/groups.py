"""Where a consumer group goes on that nobody is in."""

from __future__ import annotations

from confluent_kafka import KafkaException, TopicPartition

from weir.edges.kafka.errors import FatalError, error_of, weir_error
from weir.edges.kafka.log_reader import lone_consumer
from weir.edges.kafka.logs import bounds_of
from weir.setting_groups import KafkaSettings


def skip_to_end(settings: KafkaSettings, group: str, topic: str) -> None:
    """Let a group go on behind what a topic has now, wherever it was before.

    Raises what `weir_error` makes: also while the group has members, who would go on as they are.
    """
    ends = [
        TopicPartition(topic, source.partition, end, source.log)
        for source, (_, end) in bounds_of(settings, topic).items()
    ]
    consumer = lone_consumer(settings, FatalError(), {"group.id": group})
    try:
        done = consumer.commit(offsets=ends, asynchronous=False) or ()
        refused = [one.error for one in done if one.error is not None]
    except KafkaException as error:
        refused = [error_of(error)]
    finally:
        consumer.close()
    if refused:
        raise weir_error(refused[0], settings.brokers, f"group {group} cannot be told where to go on")
