"""How many records the producer of whole arrays has left."""

import pyarrow as pa
from weir.edges.kafka.librdkafka.library import library
from weir.edges.kafka.librdkafka.producer import BatchProducer

from tests.ports import free_port
from tests.waiting import WAIT_S, until


def test_an_error_that_waits_to_be_heard_is_no_record():
    heard: list[object] = []
    nobody = {"bootstrap.servers": f"127.0.0.1:{free_port()}"}
    producer = BatchProducer(nobody, 1000, on_error=heard.append, on_failure=heard.append)
    try:
        producer.produce("anything", 0, pa.array([b"lost?"] * 7, pa.binary()))
        producer._send()
        until(lambda: library().rd_kafka_queue_length(producer._reports), WAIT_S, "an error")
        assert producer._left() == 7
        assert producer.flush(0) == 7
        assert heard
    finally:
        producer.close()
