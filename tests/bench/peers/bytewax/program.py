"""Bytewax as its reference has it: its Kafka connectors, `flat_map_batch` for one ONNX call a batch."""

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main
from job import BROKERS, MAX_BATCH, PREDICTIONS_TOPIC, REQUESTS_TOPIC, Job

job = Job()


def score(messages: list[KafkaSourceMessage]) -> list[KafkaSinkMessage]:
    predictions = job.batch([message.value for message in messages])
    return [KafkaSinkMessage(message.key, value) for message, value in zip(messages, predictions, strict=True)]


flow = Dataflow("peer")
requests = op.input("requests", flow, KafkaSource([BROKERS], [REQUESTS_TOPIC], batch_size=MAX_BATCH))
scored = op.flat_map_batch("score", requests, score)
op.output("predictions", scored, KafkaSink([BROKERS], PREDICTIONS_TOPIC))

if __name__ == "__main__":
    cli_main(flow)
