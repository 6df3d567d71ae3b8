"""A wall clock that jumps: put this folder on a process's PYTHONPATH, and its time follows the file CHAOS_CLOCK.

The file holds seconds to add. Only what Python asks is moved: librdkafka and the engine go on with the real time.
"""

import os
import time

_file, _time, _time_ns = os.environ["CHAOS_CLOCK"], time.time, time.time_ns


def _ahead_s() -> float:
    try:
        with open(_file) as held:
            return float(held.read() or 0)
    except (FileNotFoundError, ValueError):
        return 0.0


time.time = lambda: _time() + _ahead_s()
time.time_ns = lambda: _time_ns() + int(_ahead_s() * 1e9)
