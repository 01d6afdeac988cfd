# SPDX-License-Identifier: Apache-2.0
"""A real weftd on free loopback ports, for system tests.

    with Weftd(directory) as weftd:
        status, body = weftd.neutron("POST", "networks", {...})
        weftd.kill9()
        weftd.start()

WEFT_BUILD names the build directory (default: build).  Every wait has a
deadline; nothing sleeps blindly.
"""

import base64
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEUTRON = "/controller/nb/v2/neutron"
AUTHORIZATION = "Basic " + base64.b64encode(b"admin:admin").decode()


def build_directory():
    return (ROOT / os.environ.get("WEFT_BUILD", "build")).resolve()


def program():
    return str(build_directory() / "src" / "weftd")


def free_ports(n):
    """Ports of which nobody is listening, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def wait_for(condition, timeout=10, what="condition"):
    """Returns the first true value of condition()."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {timeout} s")
        time.sleep(0.005)


def die_with_parent():
    """For preexec_fn: a test that is killed leaves nobody behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Weftd:
    """One daemon and its state directory.

    'settings' are section.option: value; 'prefix' is put in front of the
    command, for example to run it in a namespace.  With address=None (a
    namespace of its own) only the local socket is used.
    """

    def __init__(self, state_dir, settings=None, prefix=(),
                 address="127.0.0.1"):
        self.state_dir = pathlib.Path(state_dir)
        self.prefix = list(prefix)
        self.address = address
        http_port, ovsdb_port, openflow_port = free_ports(3)
        self.port = http_port
        self.settings = {
            "daemon.state_dir": self.state_dir,
            "northbound.listen": address or "::",
            "northbound.ports": http_port,
            "northbound.development": "true",
            "switches.listen": address or "::",
            "switches.ovsdb_port": ovsdb_port,
            "switches.openflow_ports": openflow_port,
        }
        self.settings.update(settings or {})
        self.ovsdb_port = self.settings["switches.ovsdb_port"]
        self.openflow_port = self.settings["switches.openflow_ports"]
        self.process = None
        self.output = ""            # Of all runs so far.
        self._reader = None
        self._local = threading.local()

    # Life.

    def command(self, *arguments):
        command = [*self.prefix, program()]
        for name, value in self.settings.items():
            command += ["--set", f"{name}={value}"]
        return command + list(arguments)

    def spawn(self):
        """Starts without waiting."""
        assert self.process is None
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)
        self._reader = threading.Thread(target=self._read,
                                        args=(self.process.stdout,))
        self._reader.start()

    def _read(self, stream):
        for line in stream:
            self.output += line.decode(errors="replace")
        stream.close()

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("weftd ended:\n" + self.output)
        try:
            return self.request("GET", "/ready")[0] == 200
        except OSError:
            return False

    def start(self, timeout=20):
        """Starts; returns the seconds until it is ready."""
        begin = time.monotonic()
        self.spawn()
        wait_for(self.is_ready, timeout, "answer to /ready")
        return time.monotonic() - begin

    def start_refused(self, timeout=20):
        """Starts, expects it to end by itself, and returns what it says."""
        before = len(self.output)
        self.spawn()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError("weftd runs:\n" + self.output) from None
        self._ended()
        assert status == 1, (status, self.output)
        return self.output[before:]

    def stop(self, signo=signal.SIGTERM, timeout=20):
        """Stops; returns the seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(signo)
        status = self.process.wait(timeout)
        seconds = time.monotonic() - begin
        self._ended()
        if signo == signal.SIGTERM:
            assert status == 0, (status, self.output)
        return seconds

    def kill9(self):
        self.stop(signal.SIGKILL)

    def _ended(self):
        self.process = None
        self._reader.join()
        self._local = threading.local()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        if self.process is not None:
            self.kill9()

    # Requests.

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def _connect(self):
        if self.address:
            return http.client.HTTPConnection(self.address, self.port,
                                              timeout=20)
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(str(self.state_dir / "weft.sock"))
        return connection

    def request(self, method, path, body=None):
        """(status, decoded JSON or text).  One connection for each thread,
        made again when it was closed.  OSError if nobody answers."""
        connection = getattr(self._local, "connection", None)
        fresh = connection is None
        if fresh:
            connection = self._local.connection = self._connect()
        headers = {"Authorization": AUTHORIZATION}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (http.client.HTTPException, OSError) as e:
            connection.close()
            self._local.connection = None
            raise ConnectionError(str(e)) from e
        if answer.will_close:
            self._local.connection = None
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, text

    def neutron(self, method, path, body=None):
        return self.request(method, f"{NEUTRON}/{path}", body)

    def status(self):
        status, body = self.request("GET", "/weft/v1/status")
        assert status == 200, (status, body)
        return body
