"""Ctrl-C while the demo trains in a process of its own: no traceback, neither of this process nor of the other."""

import os
import signal
import subprocess
import sys

import psutil

from tests.waiting import WAIT_S

PROGRAM = """
import sys
from weir.__main__ import main
from weir.demo import apart, project
from weir.settings import load

def say(done, total, what):
    print(what, flush=True)

if __name__ == "__main__":
    try:
        apart.build(project.settled(load()), say)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_ctrl_c_while_the_demo_trains_leaves_no_traceback(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    child = subprocess.Popen(
        [sys.executable, program],
        env=os.environ | {"WEIR_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, as a terminal makes one: Ctrl-C goes to all of it
    )
    with child:
        assert child.stdout.readline() == "applying the feature repository\n"  # said by the other process
        for other in psutil.Process(child.pid).children():
            other.send_signal(signal.SIGINT)  # alone first: it must not end by itself, before the one that waits for it
        assert child.stdout.readline() == "reading the flights\n", child.stderr.read()
        os.killpg(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=WAIT_S)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert "Process training" not in err
