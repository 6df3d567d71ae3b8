"""Quix Streams as its guide has it: a function applied to each message."""

from job import BROKERS, GROUP, PREDICTIONS_TOPIC, REQUESTS_TOPIC, Job
from quixstreams import Application

job = Job()
app = Application(broker_address=BROKERS, consumer_group=GROUP, auto_offset_reset="earliest", auto_create_topics=False)
requests = app.topic(REQUESTS_TOPIC, key_deserializer="bytes", value_deserializer="bytes")
predictions = app.topic(PREDICTIONS_TOPIC, key_serializer="bytes", value_serializer="bytes")


def score(value: bytes) -> bytes:
    row = job.decode(value)
    return job.encode(row, job.score([row])[0])


app.dataframe(requests).apply(score).to_topic(predictions)

if __name__ == "__main__":
    app.run()
