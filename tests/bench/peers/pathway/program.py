"""Pathway as its guide has it: its Kafka connectors, a batched UDF for one ONNX call a batch."""

import pathway as pw
from job import BROKERS, GROUP, MAX_BATCH, PREDICTIONS_TOPIC, REQUESTS_TOPIC, Job

COMMIT_EVERY_MS = 50  # its default, 1,500, is for less hurried output
SETTINGS = {"bootstrap.servers": BROKERS, "group.id": GROUP, "auto.offset.reset": "earliest"}

job = Job()


@pw.udf(max_batch_size=MAX_BATCH, deterministic=True)
def score(values: list[bytes]) -> list[bytes]:
    return job.batch(values)


requests = pw.io.kafka.read(SETTINGS, topic=REQUESTS_TOPIC, format="raw", autocommit_duration_ms=COMMIT_EVERY_MS)
predictions = requests.select(value=score(pw.this.data))
pw.io.kafka.write(predictions, {"bootstrap.servers": BROKERS}, topic_name=PREDICTIONS_TOPIC, format="raw")

if __name__ == "__main__":
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
