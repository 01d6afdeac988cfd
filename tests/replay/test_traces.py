#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays what the real networking-odl driver sent, and compares the answers
with those it was given.

traces/ holds one file per scenario, one JSON object per line: method, path,
body, expect {status, body, location}.  Each file starts from an empty store.

Lines that recorded a fault made on purpose ("injected", "closed") are left
out, unless the fault was that an applied request was answered wrongly.  What
depends on switches, of which there are none here, is compared as far as it
can be: host configurations are unknown (404), no port is ACTIVE, and the
notifications recorded (WS-SEND) do not happen; but each WebSocket is really
opened, at the address the answers gave, and must answer a ping.

One difference is wanted: the recording server answered 204 to a DELETE of
what never existed there; weftd says 404, and the driver takes both.
"""

import glob
import json
import os
import sys

from weftd import BASE, Client, SKIPPED, WebSocket, Weftd, require_program

TRACES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "traces")
HOSTS = "/restconf/operational/neutron:neutron/hostconfigs"
PORT = "/restconf/operational/neutron:neutron/ports/port/"
FEATURES = "/restconf/operational/neutron:neutron/neutron:features"
# Members whose absence says something; and those that follow the switches.
REFERENCES = ("port_id", "router_id", "fixed_ip_address", "qos_policy_id",
              "gw_port_id", "external_gateway_info")


def normal(value):
    """A value without the freedom that the API leaves in writing it."""
    if isinstance(value, dict):
        return {k: normal(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value.lower()
    return value


def differences(expected, actual, where):
    """What of 'expected' is not in 'actual'."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            if name in actual:
                yield from differences(value, actual[name], f"{where}.{name}")
            elif value not in ("", []):
                yield f"{where}.{name} is missing, not {value!r}"
        for name in REFERENCES:
            if name in actual and name not in expected:
                yield f"{where}.{name} is {actual[name]!r}, not absent"
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{where} has {len(actual)} items, not {len(expected)}"
        for i, (a, b) in enumerate(zip(expected, actual)):
            yield from differences(a, b, f"{where}[{i}]")
    elif expected != actual:
        yield f"{where} is {actual!r}, not {expected!r}"


class Replay:
    def __init__(self, weftd):
        self.client = Client(weftd.port)
        self.weftd = weftd
        self.locations = {}         # Of streams, by the trace's path.
        self.sockets = {}
        self.made = set()           # Paths of objects that were posted.
        self.n_checked = 0

    def close(self):
        for s in self.sockets.values():
            s.close()
        self.client.close()

    def step(self, line):
        """Replays one line; yields what is wrong with the answer."""
        method, path, expect = line["method"], line["path"], line["expect"]
        faulty = expect.get("injected") or expect.get("closed")
        if faulty and "applied" not in line.get("note", ""):
            return
        if method.startswith("WS-"):
            yield from self.step_socket(method, path)
            return

        self.n_checked += 1
        answer = self.client.ask(method, path, line["body"])
        path = path.split("?")[0].rstrip("/")
        if method == "POST" and answer.status == 201:
            for value in line["body"].values():
                for item in value if isinstance(value, list) else [value]:
                    self.made.add(f"{path}/{item['id']}")
        if faulty:
            return
        if path.startswith(HOSTS):
            if answer.status != 404:
                yield f"status {answer.status} without any switch"
        elif path.startswith(PORT):
            yield from self.check_port(answer, path)
        elif (method == "DELETE" and answer.status == 404
              and path not in self.made):
            pass
        elif answer.status != expect["status"]:
            yield (f"status {answer.status}, not {expect['status']}: "
                   f"{answer.text[:200]}")
        else:
            yield from self.check_body(answer, expect, path)

    def check_port(self, answer, path):
        identity = path[len(PORT):]
        if f"{BASE}/ports/{identity}" not in self.made:
            if answer.status != 404:
                yield f"status {answer.status} of an unknown port"
        elif answer.status == 200:
            expected = {"port": [{"uuid": identity, "status": "DOWN"}]}
            if answer.json() != expected:
                yield f"not {expected}: {answer.text}"

    def check_body(self, answer, expect, path):
        if "location" in expect:
            location = answer.headers["Location"] or ""
            stream = path.split("/stream/", 1)[1]
            if not location.startswith(
                    f"ws://127.0.0.1:{self.weftd.port}/{stream}"):
                yield f"Location is {location!r}"
            self.locations["/" + stream] = location
        if expect.get("body") is None:
            return
        if path == FEATURES:
            names = [f["service-provider-feature"]
                     for f in answer.json()["features"]["feature"]]
            if "neutron-extensions:operational-port-status" not in names:
                yield f"features are {names}"
            return
        expected, actual = normal(expect["body"]), normal(answer.json())
        for inner in expected.values():
            if path.startswith(BASE + "/ports/") and isinstance(inner, dict):
                inner.pop("status", None)
        yield from differences(expected, actual, "body")

    def step_socket(self, method, path):
        if method == "WS-CONNECT":
            self.n_checked += 1
            if path not in self.locations:
                yield f"nobody asked where {path} is"
                return
            s = WebSocket(self.locations[path])
            if s.status != 101:
                yield f"the handshake was answered {s.status}"
            elif not s.is_alive():
                yield "the socket does not answer a ping"
            self.sockets[path] = s
        elif method == "WS-DISCONNECT" and path in self.sockets:
            self.sockets.pop(path).close()


def replay(name):
    """Replays one file; returns the number of answers that differ."""
    n_wrong = 0
    with Weftd() as weftd:
        run = Replay(weftd)
        with open(os.path.join(TRACES, name), encoding="utf-8") as f:
            for number, text in enumerate(f, 1):
                line = json.loads(text)
                for problem in run.step(line):
                    print(f"{name}:{number}: {line['method']} {line['path']}: "
                          f"{problem}")
                    n_wrong += 1
        run.close()
    print(f"{name}: {run.n_checked} answers, {n_wrong} differ")
    return n_wrong


def main():
    require_program()
    names = sys.argv[1:] or sorted(
        os.path.basename(path)
        for path in glob.glob(os.path.join(TRACES, "*.jsonl")))
    if not names:
        return SKIPPED
    return 1 if sum(replay(name) for name in names) else 0


if __name__ == "__main__":
    sys.exit(main())
