"""A schema registry in one process, with Confluent's HTTP API."""
