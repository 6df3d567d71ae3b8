"""Topics made by a test for itself."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from tests.waiting import WAIT_S, until


def make(admin: AdminClient, *topics: str, partitions: int) -> None:
    """Make topics, and wait until the broker tells of them: it hears of what it has agreed to a moment later."""
    for made in admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values():
        made.result(WAIT_S)

    def led() -> bool:
        told = admin.list_topics(timeout=WAIT_S).topics
        found = [told[topic].partitions.values() for topic in topics if topic in told]
        return len(found) == len(topics) and all(
            len(parts) == partitions and all(part.leader >= 0 for part in parts) for parts in found
        )

    until(led, WAIT_S, f"the broker to tell of {', '.join(topics)}")


def make_anew(admin: AdminClient, topic: str, *, partitions: int) -> None:
    """Delete a topic, and make another one of its name as soon as the broker lets us."""
    admin.delete_topics([topic])[topic].result(WAIT_S)

    def made() -> bool:
        try:
            admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(WAIT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False
        return True

    until(made, WAIT_S, f"{topic} to be gone and made anew")
