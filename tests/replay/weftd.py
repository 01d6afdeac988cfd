# SPDX-License-Identifier: Apache-2.0
"""A weftd of our own for one test, and clients that talk to it.

Only the standard library.  WEFT_BUILD names the build directory; without a
weftd in it the tests are skipped (exit status 77).
"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build"))
PROGRAM = os.path.join(BUILD, "src", "weftd")
BASE = "/controller/nb/v2/neutron"
SKIPPED = 77


def require_program():
    if not os.access(PROGRAM, os.X_OK):
        print(f"{PROGRAM} is not built", file=sys.stderr)
        sys.exit(SKIPPED)


def free_ports(n):
    """Ports that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Weftd:
    """A daemon with an empty store; stopped, and its directory removed, at
    the end of a 'with'."""

    def __init__(self, **northbound):
        self.directory = tempfile.mkdtemp(prefix="weft-replay-")
        self.port, ovsdb, openflow = free_ports(3)
        settings = {
            "daemon.state_dir": self.directory,
            "daemon.run_dir": self.directory,
            "northbound.listen": "127.0.0.1",
            "northbound.ports": self.port,
            "switches.listen": "127.0.0.1",
            "switches.ovsdb_port": ovsdb,
            "switches.openflow_ports": openflow,
        }
        settings.update((f"northbound.{name}", value)
                        for name, value in northbound.items())
        config = os.path.join(self.directory, "weft.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write("")
        command = [PROGRAM, "--config", config]
        for name, value in settings.items():
            command += ["--set", f"{name}={value}"]
        self.log = os.path.join(self.directory, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def __enter__(self):
        deadline = time.monotonic() + 20
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.show_log()
                raise RuntimeError("weftd does not start")
            time.sleep(0.01)
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if kind or status:
            self.show_log()
        shutil.rmtree(self.directory, ignore_errors=True)
        if not kind and status:
            raise RuntimeError(f"weftd ended with {status}")

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=5)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/ready")
                return connection.getresponse().status == 200
            except OSError:
                return False

    def show_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            sys.stderr.write(f.read())


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def json(self):
        return json.loads(self.text)


class Client:
    """HTTP as the driver does it: one connection that is kept, basic
    authentication with every request."""

    def __init__(self, port, user="admin", password="admin"):
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": "Basic " + token,
                        "Content-Type": "application/json",
                        "Accept": "*/*"}
        self.connection = http.client.HTTPConnection("127.0.0.1", port,
                                                     timeout=10)

    def ask(self, method, path, body=None):
        """'body' is text, or something to be written as JSON."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body, indent=2)
        self.connection.request(method, path, body, self.headers)
        return Answer(self.connection.getresponse())

    def close(self):
        self.connection.close()


class WebSocket:
    """The client's side of RFC 6455, as far as the driver uses it."""

    GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

    def __init__(self, location):
        url = urllib.parse.urlparse(location)
        assert url.scheme == "ws", location
        self.socket = socket.create_connection((url.hostname, url.port), 10)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Origin: http://{url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        headers = http.client.parse_headers(self.stream)
        if self.status == 101:
            digest = hashlib.sha1((key + self.GUID).encode()).digest()
            expected = base64.b64encode(digest).decode()
            assert headers["Sec-WebSocket-Accept"] == expected, headers

    def send(self, opcode, payload=b""):
        mask = os.urandom(4)
        masked = bytes(c ^ mask[i % 4] for i, c in enumerate(payload))
        assert len(payload) < 126
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask
                            + masked)

    def receive(self):
        """The next frame: its opcode and payload."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None, b""
        size = head[1] & 0x7f
        assert not head[1] & 0x80, "a server does not mask"
        if size == 126:
            size, = struct.unpack("!H", self.stream.read(2))
        elif size == 127:
            size, = struct.unpack("!Q", self.stream.read(8))
        return head[0] & 0x0f, self.stream.read(size)

    def is_alive(self):
        self.send(self.PING, b"there?")
        return self.receive() == (self.PONG, b"there?")

    def close(self):
        self.stream.close()
        self.socket.close()
