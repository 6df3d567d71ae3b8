"""Logs: one line of JSON per event on standard error, ours and those of the libraries beneath alike.

    log = structlog.get_logger(__name__)
    log.error("features differ", view="customer_recent", key="c-17", ours=1.5, feast=2.5)

Normal operation logs nothing per batch; ERROR means that data is lost or a person is needed.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from weir.setting_groups import TelemetrySettings

OURS = "weir"  # loggers below this name speak at WEIR_LOG_LEVEL; all others from WARNING


def configure(settings: TelemetrySettings, *, role: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging (Faust, mode, Feast) to one stream in one format.

    role: what the process is ("scorer"); on every line. stream: standard error when not given. Called once, at start;
    a Faust worker must be made with `override_logging=False, redirect_stdouts=False`, else it replaces this.
    """
    stream = stream if stream is not None else sys.stderr
    console = settings.log_format == "console"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add("role", role),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(settings.log_level)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _add(name: str, value: str) -> Processor:
    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event[name] = value
        return event

    return processor


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).error("uncaught", exc_info=(kind, error, trace))


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is None or issubclass(failed.exc_type, SystemExit):
        return
    name = failed.thread.name if failed.thread else ""
    structlog.get_logger(__name__).error(
        "uncaught in thread", thread=name, exc_info=(failed.exc_type, failed.exc_value, failed.exc_traceback)
    )
