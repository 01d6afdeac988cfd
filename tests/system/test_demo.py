# SPDX-License-Identifier: Apache-2.0
"""The demo, as a newcomer runs it: it succeeds, proves what it says, and
leaves nothing behind, whatever ends it."""

import os
import re
import signal
import subprocess
import time

from conftest import BUILD, TOP
from rig import is_running, wait_until

DEMO = [os.path.join(TOP, "demo", "demo.py"), "--build", BUILD]


def left_behind(pid):
    """Namespaces, directories and processes of the demo with this pid."""
    prefix = f"weft-{pid}"
    found = [name for name in os.listdir("/run/netns")
             if name.startswith(prefix + "-")]
    found += [name for name in os.listdir("/tmp") if name == prefix]
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if prefix + "/" in line and is_running(int(process)):
            found.append(line)
    return found


def start():
    return subprocess.Popen([*DEMO, "--keep"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def read_until(demo, text):
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"never said {text!r}:\n" + "".join(lines))


def test_demo_proves_everything():
    begin = time.monotonic()
    demo = subprocess.Popen(DEMO, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True,
                            stdin=subprocess.DEVNULL)
    text = demo.communicate(timeout=120)[0]
    assert demo.returncode == 0, text
    match = re.search(r"(\d+) of (\d+) proofs held", text)
    assert match and match.group(1) == match.group(2), text
    assert int(match.group(1)) >= 15, text
    assert not left_behind(demo.pid)
    assert time.monotonic() - begin < 30, text


def test_interrupt_when_up():
    demo = start()
    read_until(demo, "stays up until Ctrl-C")
    demo.send_signal(signal.SIGINT)
    rest = demo.communicate(timeout=30)[0]
    assert demo.returncode == 0, rest
    assert not left_behind(demo.pid)


def test_terminate_half_way():
    demo = start()
    read_until(demo, "weftd serves at")
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=30)
    assert demo.returncode == 128 + signal.SIGTERM
    assert not left_behind(demo.pid)


def test_kill_is_swept_by_the_next():
    demo = start()
    read_until(demo, "connected and hold their rules")
    demo.kill()
    demo.communicate(timeout=30)
    # Its daemons die with it; namespaces cannot.
    wait_until(lambda: not [entry for entry in left_behind(demo.pid)
                            if "weftd" in entry or "ovs" in entry],
               lambda: left_behind(demo.pid))
    other = start()
    read_until(other, "weftd serves at")
    assert not left_behind(demo.pid)
    other.send_signal(signal.SIGINT)
    other.communicate(timeout=30)
    assert not left_behind(other.pid)


def test_failure_cleans_up(tmp_path):
    """A weftd that cannot start: said, status 1, nothing left."""
    (tmp_path / "src").mkdir()
    program = tmp_path / "src" / "weftd"
    program.write_text("#!/bin/sh\necho 'weftd: no such luck' >&2\nexit 1\n")
    program.chmod(0o755)
    demo = subprocess.Popen([DEMO[0], "--build", str(tmp_path)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True)
    text = demo.communicate(timeout=60)[0]
    assert demo.returncode == 1
    assert "no such luck" in text
    assert not left_behind(demo.pid)
