"""Children never outlive their parent, however it ends."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from weir.core.errors import Unavailable
from weir.edges.embedded import leash
from weir.edges.embedded.service import python

from tests.waiting import WAIT_S, ended, until

SLEEP = ["sleep", "300"]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody reaps does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(*pids: int) -> bool:
    return not any(alive(pid) for pid in pids)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "child.log"


def test_stop_ends_the_child_and_is_idempotent(log):
    child = leash.start("sleeper", SLEEP, log=log)
    assert alive(child.pid)
    assert child.poll() is None
    assert child.stop() == 128 + signal.SIGTERM
    assert gone(child.pid)
    assert child.stop() == 128 + signal.SIGTERM


def test_a_child_that_ends_by_itself_is_reported_with_its_last_words(log):
    log.write_text("words of an earlier run\n")
    child = leash.start("speaker", ["sh", "-c", "echo last words; exit 7"], log=log)
    assert child.wait(WAIT_S) == 7
    with pytest.raises(Unavailable, match="speaker ended with exit status 7") as raised:
        child.check()
    assert "last words" in str(raised.value)
    assert "earlier run" not in str(raised.value)
    assert str(log) in str(raised.value)


def test_a_missing_program_is_named(log):
    with pytest.raises(Unavailable, match=r"broker cannot be started: No such file.*no-such-program"):
        leash.start("broker", ["/no-such-program"], log=log)


def test_a_child_that_ignores_sigterm_is_killed_with_its_own_children(log, tmp_path):
    marker = tmp_path / "grandchild"
    script = f"trap '' TERM; sleep 300 & echo $! > {marker}; wait; sleep 300"
    child = leash.start("stubborn", ["sh", "-c", script], log=log, grace_s=0.3)
    grandchild = int(until(lambda: marker.exists() and marker.read_text().strip(), WAIT_S, "the grandchild's pid"))
    child.stop()
    until(lambda: gone(child.pid, grandchild), WAIT_S, "the end of child and grandchild")


def test_a_child_gets_the_environment_and_default_signal_handlers(log):
    script = "import os, signal; print(os.environ['WEIR_X'], signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
    child = leash.start("teller", [sys.executable, "-c", script], log=log, environment={"WEIR_X": "42"})
    assert child.wait(WAIT_S) == 0
    assert child.log_tail() == "42 True"


def test_a_child_does_not_find_modules_in_the_folder_where_it_is_started(log, tmp_path, monkeypatch):
    (tmp_path / "typing.py").write_text("raise SystemExit('this is my own typing')")
    (tmp_path / "weir").mkdir()
    (tmp_path / "weir" / "__init__.py").write_text("raise SystemExit('this is my own weir')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", os.environ.get("PYTHONPATH", ""), ""]))
    child = leash.start("reader", python("weir", "--help"), log=log, directory=tmp_path)
    assert child.wait(WAIT_S) == 0, child.log_tail()


def test_ctrl_c_does_not_reach_the_children(log):
    child = leash.start("sleeper", SLEEP, log=log)
    try:
        assert os.getpgid(child.pid) != os.getpgid(0)
        assert os.getsid(child.pid) != os.getsid(0)
    finally:
        child.stop()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its guard was killed")
def test_a_child_dies_with_its_guard(log):
    child = leash.start("sleeper", SLEEP, log=log)
    child.guard.send_signal(signal.SIGKILL)
    until(lambda: gone(child.pid), WAIT_S, "the end of the child")
    child.stop()


def test_a_killed_parent_takes_its_children_along(tmp_path):
    program = textwrap.dedent("""
        import sys, threading, time
        from pathlib import Path
        from weir.edges.embedded import leash
        folder = Path(sys.argv[1])
        children = []
        def begin():  # in a thread that ends at once: a child belongs to the process, not to a thread
            children.append(leash.start("one", ["sleep", "300"], log=folder / "one.log", grace_s=1))
            children.append(leash.start("two", ["sh", "-c", "sleep 300 & sleep 300"], log=folder / "2.log", grace_s=1))
        thread = threading.Thread(target=begin); thread.start(); thread.join()
        print(*(child.pid for child in children), flush=True)
        time.sleep(300)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with ended(parent):
        pids = [int(pid) for pid in parent.stdout.readline().split()]

        def family_of() -> set[int]:
            """With the child of the shell, which forks when it comes to it."""
            found = {*pids, *(child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True))}
            return found if len(found) >= 3 else set()

        family = until(family_of, WAIT_S, "the shell's own child")
        guards = {psutil.Process(pid).ppid() for pid in pids}
        assert not any(gone(pid) for pid in family | guards)
        parent.send_signal(signal.SIGKILL)
    until(lambda: gone(*family, *guards), WAIT_S, "the end of the children of a killed parent")


def test_a_lock_stands_until_the_last_child_is_gone(tmp_path):
    """The guards hold the descriptor, so a killed parent's lock is free only when its children are."""
    import fcntl

    lock, ready, release = tmp_path / "lock", tmp_path / "ready", tmp_path / "release"
    slow = (
        f"trap 'while [ ! -e {release} ]; do sleep 0.05; done; exit' TERM; touch {ready}; while :; do sleep 0.05; done"
    )
    program = textwrap.dedent("""
        import fcntl, os, sys, time
        from pathlib import Path
        from weir.edges.embedded import leash
        held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
        fcntl.flock(held, fcntl.LOCK_EX)
        log, command = Path(sys.argv[1] + ".log"), ["sh", "-c", sys.argv[2]]
        child = leash.start("slow", command, log=log, grace_s=60, keep_open=(held,))
        print(child.pid, flush=True)
        time.sleep(300)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program, str(lock), slow], stdout=subprocess.PIPE, text=True)
    with ended(parent):
        pid = int(parent.stdout.readline())
        until(ready.exists, WAIT_S, "the child to be ready for its end")
        parent.send_signal(signal.SIGKILL)

    def free() -> bool:
        with lock.open() as mine:
            try:
                fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    assert alive(pid)
    assert not free()
    release.touch()
    until(free, WAIT_S, "the lock")
    assert gone(pid)


def test_the_guard_is_small_and_needs_nothing_of_the_project():
    lines = Path(leash.GUARD).read_text().splitlines()
    imports = {line.split()[1] for line in lines if line.startswith(("import", "from"))}
    assert {name.split(".")[0] for name in imports} <= sys.stdlib_module_names
