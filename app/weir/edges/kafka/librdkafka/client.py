"""What consumer and producer have in common: a handle, its configuration, its errors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from weir.edges.kafka.librdkafka.library import ON_ERROR, library

PRODUCER, CONSUMER = 0, 1  # rd_kafka_type_t
_FATAL: Final = -150  # RD_KAFKA_RESP_ERR__FATAL
TEXT_BYTES: Final = 512  # for an error's text


class Client:
    """A handle with its configuration; `on_error` hears of what librdkafka repairs by itself, and of fatal errors."""

    def __init__(self, kind: int, config: Mapping[str, object], on_error: Callable[[KafkaError], None]) -> None:
        self._lib, self._on_error = library(), on_error
        self._callbacks: list[object] = [ON_ERROR(self._hear)]  # kept as long as librdkafka may call them
        conf = self._lib.rd_kafka_conf_new()
        text = ctypes.create_string_buffer(TEXT_BYTES)
        for name, value in config.items():
            written = str(value).lower() if isinstance(value, bool) else str(value)
            if self._lib.rd_kafka_conf_set(conf, name.encode(), written.encode(), text, TEXT_BYTES):
                raise KafkaException(KafkaError(KafkaError._INVALID_ARG, text.value.decode()))
        self._lib.rd_kafka_conf_set_error_cb(conf, self._callbacks[0])
        self._configure(conf)
        self._handle = self._lib.rd_kafka_new(kind, conf, text, TEXT_BYTES)
        if not self._handle:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, text.value.decode()))

    def _configure(self, conf: int) -> None:
        """Set callbacks."""

    def _hear(self, _handle: int, code: int, reason: bytes, _opaque: int) -> None:
        self._on_error(self._error(code, reason))

    def _check(self, code: int) -> None:
        if code:
            raise KafkaException(self._error(code))

    def _error(self, code: int, reason: bytes | None = None) -> KafkaError:
        """The error of that code; for a fatal one, what made it so: librdkafka tells that only when it is asked."""
        fatal = code == _FATAL
        if fatal:
            text = ctypes.create_string_buffer(TEXT_BYTES)
            code, reason = self._lib.rd_kafka_fatal_error(self._handle, text, TEXT_BYTES), text.value
        said = self._lib.rd_kafka_err2str(code) if reason is None else reason
        return KafkaError(code, said.decode(errors="replace"), fatal)
