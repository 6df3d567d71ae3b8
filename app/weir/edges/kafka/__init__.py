"""Kafka by librdkafka: clients, admin, chunks, Faust's transport, the producer."""
