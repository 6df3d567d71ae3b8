"""Logs of a whole process: every line of standard error is one JSON object, whoever wrote it."""

import json
import os
import subprocess
import sys

PROGRAM = """
import logging, threading, warnings
import structlog
from weir.edges.observability import logs
from weir.settings import load

log = structlog.get_logger("weir.agents.scorer.agent")
logs.configure(load().telemetry, role="scorer")
log.info("partitions", count=4)
log.debug("not asked for")
logging.getLogger("faust.transport").info("chatter")
logging.getLogger("mode.worker").warning("slow %s", "timer")
warnings.warn("old api")
thread = threading.Thread(target=lambda: 1 / 0, name="poller")
thread.start(); thread.join()
raise RuntimeError("the end")
"""


def lines(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_line_is_json_and_libraries_speak_from_warning():
    said = [json.loads(line) for line in lines()]
    assert [line["level"] for line in said] == ["info", "warning", "warning", "error", "error"]
    assert [line["event"] for line in said][:2] == ["partitions", "slow timer"]
    assert said[0] | {"role": "scorer", "count": 4, "logger": "weir.agents.scorer.agent"} == said[0]
    assert "old api" in said[2]["event"]
    assert said[3]["thread"] == "poller"
    assert "ZeroDivisionError" in said[3]["exception"]
    assert "RuntimeError: the end" in said[4]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in said)


def test_level_and_console_are_settings():
    said = "\n".join(lines(WEIR_LOG_FORMAT="console", WEIR_LOG_LEVEL="DEBUG"))
    assert "not asked for" in said
    assert "chatter" not in said
    assert "{" not in said.splitlines()[0]
