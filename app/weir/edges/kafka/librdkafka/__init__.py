"""librdkafka's C interface, called by the batch: what confluent-kafka offers for one message object a record.

Two calls carry the records, `rd_kafka_consume_batch_queue` and `rd_kafka_produce_batch`. Their messages are structures
at addresses that librdkafka gives; numpy and Arrow read and write these without a Python object a record. The library
is the one inside confluent-kafka's wheel, which stays the client of everything that is not a stream of records.

Source: rdkafka.h of librdkafka 2, whose functions and structures are its stable public interface.
"""
