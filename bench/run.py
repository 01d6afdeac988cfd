#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Weft: starts what is to be measured, runs the programs beside
this file, and writes BUILD/bench.json.

usage: run.py --build DIRECTORY [--only plug|load|cloud]... [--keep]

Everything runs on this machine's loopback, from a directory of its own below
the build directory, and is stopped at the end, also after a failure.  See
docs/benchmarks.md for what the figures mean.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PLUG_ROUNDS = 150
LOAD_SECONDS = 8
# What each figure is measured in, by the end or the start of its name.
UNITS = [("ratio", "1"), ("_seconds", "s"), ("durable_writes", "1/s"),
         ("disk_syncs", "1/s"), ("http_reads", "1/s"), ("rss_", "kB"),
         ("flows", "1"), ("load_average", "1"), ("", "ms")]


def unit(name):
    return next(u for part, u in UNITS
                if name.startswith(part) or name.endswith(part))


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Daemon:
    """A weftd with ports of its own, and a store in 'directory'."""

    def __init__(self, build, directory):
        self.api, self.ovsdb, self.openflow = free_ports(3)
        self.begun = time.monotonic()
        self.start_seconds = self.stop_seconds = None
        directory.mkdir(exist_ok=True)
        self.log = open(directory / "weftd.log", "wb")
        command = [build / "src/weftd", "--config", "/dev/null"]
        for setting in (f"daemon.state_dir={directory}",
                        "northbound.listen=127.0.0.1",
                        f"northbound.ports={self.api}",
                        "northbound.development=true",
                        "switches.listen=127.0.0.1",
                        f"switches.ovsdb_port={self.ovsdb}",
                        f"switches.openflow_ports={self.openflow}"):
            command += ["--set", setting]
        self.process = subprocess.Popen(command, stdout=self.log,
                                        stderr=self.log)

    def __enter__(self):
        try:
            wait_for(self.is_ready, 30, "weftd")
        except Exception:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - self.begun
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("weftd ended, see weftd.log")
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.api}/ready"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200
        return False

    def __exit__(self, *_):
        begun = time.monotonic()
        stop(self.process)
        self.stop_seconds = time.monotonic() - begun
        self.log.close()


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Switch:
    """A real ovsdb-server and ovs-vswitchd with dummy devices: no datapath
    but all of the control path, and nothing of the machine is touched."""

    def __init__(self, directory, weftd):
        directory.mkdir()
        self.directory = directory
        self.weftd = weftd
        self.ovsdb, self.probe = free_ports(2)
        self.environment = {**os.environ, "OVS_RUNDIR": str(directory),
                            "OVS_LOGDIR": str(directory),
                            "OVS_DBDIR": str(directory)}
        self.processes = []

    def start(self, *command):
        log = open(self.directory / (command[0] + ".out"), "wb")
        with log:
            self.processes.append(subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log,
                cwd=self.directory))

    def run(self, *command):
        return subprocess.run(command, env=self.environment, check=True,
                              capture_output=True, text=True,
                              timeout=30).stdout.strip()

    def __enter__(self):
        try:
            self.bring_up()
        except Exception:
            self.__exit__()
            raise
        return self

    def bring_up(self):
        self.run("ovsdb-tool", "create",
                 str(self.directory / "conf.db"),
                 "/usr/share/openvswitch/vswitch.ovsschema")
        socket_path = self.directory / "db.sock"
        self.start("ovsdb-server", str(self.directory / "conf.db"),
                   f"--remote=punix:{socket_path}",
                   f"--remote=ptcp:{self.ovsdb}:127.0.0.1",
                   "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                   f"--unixctl={self.directory}/ovsdb.ctl", "--no-chdir")
        wait_for(socket_path.exists, 10, "ovsdb-server")
        self.run("ovs-vsctl", "--no-wait", "init")
        self.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".",
                 "external_ids:system-id=bench",
                 "external_ids:hostname=bench",
                 "other_config:local_ip=127.0.0.1")
        self.start("ovs-vswitchd", f"unix:{socket_path}",
                   "--enable-dummy=override", "--disable-system",
                   "--disable-system-route",
                   f"--unixctl={self.directory}/vswitchd.ctl", "--no-chdir")
        self.run("ovs-vsctl", "--timeout=10", "add-br", "br-probe", "--",
                 "set", "bridge", "br-probe", "fail_mode=secure",
                 "protocols=OpenFlow15", "--", "set-controller", "br-probe",
                 f"ptcp:{self.probe}:127.0.0.1")
        self.run("ovs-vsctl", "--timeout=10", "set-manager",
                 f"tcp:127.0.0.1:{self.weftd.ovsdb}")
        wait_for(self.is_connected, 15, "br-int with its controller")

    def is_connected(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            uuid = self.run("ovs-vsctl", "--bare", "get", "bridge", "br-int",
                            "controller").strip("[]")
            return bool(uuid) and self.run(
                "ovs-vsctl", "get", "controller", uuid,
                "is_connected") == "true"
        return False

    def __exit__(self, *_):
        for process in reversed(self.processes):
            stop(process)


def measure(build, program, *arguments, environment=None, seconds=300):
    """Runs a measuring program and returns its figures."""
    command = [str(build / "bench" / program), *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True,
                            text=True, timeout=seconds)
    if result.returncode:
        raise RuntimeError(f"{program}: {result.stderr.strip()}")
    return json.loads(result.stdout)


def measure_plug(build, directory):
    with Daemon(build, directory / "plug") as weftd:
        with Switch(directory / "switch", weftd) as switch:
            return measure(build, "bench-plug", weftd.api, switch.ovsdb,
                           switch.probe, PLUG_ROUNDS,
                           environment=switch.environment)


def syncs_per_second(directory, seconds=1.0):
    """What the disk can do: appends of 400 bytes, each made durable."""
    file = os.open(directory / "probe", os.O_CREAT | os.O_WRONLY, 0o600)
    begun = time.monotonic()
    n = 0
    while time.monotonic() < begun + seconds:
        os.write(file, b"x" * 400)
        os.fdatasync(file)
        n += 1
    os.close(file)
    return n / (time.monotonic() - begun)


def measure_load(build, directory):
    before = syncs_per_second(directory)
    with Daemon(build, directory / "load") as weftd:
        figures = measure(build, "bench-load", weftd.api, LOAD_SECONDS)
    probe = (before + syncs_per_second(directory)) / 2
    return {**figures, "disk_syncs": probe}


def measure_cloud(build, directory):
    with Daemon(build, directory / "cloud") as weftd:
        figures = measure(build, "bench-cloud", weftd.api, weftd.ovsdb,
                          weftd.process.pid)
    with Daemon(build, directory / "cloud") as again:
        pass
    return {**figures, "start_empty_seconds": weftd.start_seconds,
            "stop_25000_seconds": weftd.stop_seconds,
            "start_25000_seconds": again.start_seconds}


SETS = {"plug": measure_plug, "load": measure_load, "cloud": measure_cloud}

# Ratio, and what of what.
RATIOS = [
    ("change_25000_to_400_ratio", "change_25000_p50", "change_400_p50"),
    ("wire_25000_to_400_ratio", "change_25000_wire_p50",
     "change_400_wire_p50"),
    ("plug_to_probe_ratio", "plug_to_wired_p50", "probe_p50"),
    ("writes_64_to_reads_ratio", "durable_writes_64", "http_reads_64"),
    ("writes_1_to_syncs_ratio", "durable_writes_1", "disk_syncs"),
]


def add_derived(figures):
    for name, above, below in RATIOS:
        if figures.get(below):
            figures[name] = figures[above] / figures[below]
    if "plug_to_wired_p50" in figures:
        figures["plug_over_probe"] = (figures["plug_to_wired_p50"]
                                      - figures["probe_p50"])


TARGETS = [
    ("plug_over_probe", "<=", 3.0),
    ("change_25000_to_400_ratio", "<=", 1.5),
    ("rss_per_port", "<=", 12.0),
    ("durable_writes_64", ">=", 5000.0),
]


def print_table(figures):
    width = max(map(len, figures))
    for name, value in sorted(figures.items()):
        print(f"  {name:{width}}  {value:12.3f} {unit(name)}")
    print()
    for name, relation, target in TARGETS:
        if name in figures:
            met = (figures[name] <= target if relation == "<="
                   else figures[name] >= target)
            print(f"  target {name} {relation} {target:g} {unit(name)}: "
                  f"{figures[name]:.3f}, {'met' if met else 'MISSED'}")


def write_json(build, figures):
    path = build / "bench.json"
    entries = [{"name": name, "value": round(value, 4), "unit": unit(name)}
               for name, value in sorted(figures.items())]
    path.write_text(json.dumps(entries, indent=1) + "\n")
    print(f"\n  written: {path}")


def main():
    parser = argparse.ArgumentParser(description="Measures Weft.")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--only", action="append", choices=list(SETS))
    parser.add_argument("--keep", action="store_true",
                        help="leave logs and stores behind")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=build))
    figures = {"load_average": os.getloadavg()[0]}
    failed = False
    try:
        for name in arguments.only or SETS:
            start = time.monotonic()
            print(f"measuring {name} ...", flush=True)
            try:
                figures.update(SETS[name](build, directory))
            except (RuntimeError, subprocess.SubprocessError) as error:
                print(f"  {name}: {error}", file=sys.stderr)
                failed = True
            print(f"  {time.monotonic() - start:.0f} s", flush=True)
        figures["load_average_end"] = os.getloadavg()[0]
        add_derived(figures)
        print_table(figures)
        write_json(build, figures)
    finally:
        if arguments.keep or failed:
            print(f"  kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
