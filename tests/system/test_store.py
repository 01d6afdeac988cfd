# SPDX-License-Identifier: Apache-2.0
"""What an answer promises: the store of a real weftd that is killed, whose
disk is full, whose file is damaged, that is backed up and restored; and the
daemon's manners: how it starts, stops, refuses."""

import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import pytest

from weftd import Weftd, die_with_parent, program, wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="weft-system-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def weftd(directory):
    with Weftd(directory / "state") as daemon:
        yield daemon


def network(i, name=None):
    return {"id": str(uuid.UUID(int=i)), "name": name or f"network {i}",
            "tenant_id": "t1", "admin_state_up": True,
            "provider:network_type": "vxlan",
            "provider:segmentation_id": i % 16000000 + 1}


def create(weftd, i, name=None):
    return weftd.neutron("POST", "networks", {"network": network(i, name)})[0]


def names(weftd):
    """{id: name} of all networks."""
    status, body = weftd.neutron("GET", "networks")
    assert status == 200
    return {n["id"]: n["name"] for n in body["networks"]}


# kill -9.

class Thing:
    """A network or port as a client knows it: what was answered last, and
    what was asked for but not answered."""

    def __init__(self, kind, identity):
        self.kind = kind
        self.id = identity
        self.acked = None           # Body, or None: there is none.
        self.asked = []             # What may have become true instead.

    def check(self, actual):
        for wanted in [self.acked, *self.asked]:
            if wanted is None and actual is None:
                break
            if wanted and actual and all(actual.get(k) == v
                                         for k, v in wanted.items()):
                break
        else:
            raise AssertionError(f"{self.kind} {self.id} is {actual}, "
                                 f"answered was {self.acked}, "
                                 f"open was {self.asked}")
        self.acked, self.asked = wanted, []


class Client(threading.Thread):
    """Creates, replaces and deletes until the daemon is gone."""

    def __init__(self, weftd, seed, things):
        super().__init__()
        self.weftd = weftd
        self.random = random.Random(seed)
        self.things = things        # Its own.
        self.n_acked = 0
        self.errors = []

    def run(self):
        try:
            while True:
                self.step()
        except OSError:
            pass                    # Killed.
        except Exception as e:      # pylint: disable=broad-except
            self.errors.append(e)

    def body(self, kind, identity):
        body = {"id": identity, "tenant_id": "t",
                "name": f"{kind} {self.random.random()}"}
        if kind == "port":
            body["network_id"] = str(uuid.UUID(int=self.random.getrandbits(
                128)))              # Dangles, which is allowed.
            body["mac_address"] = "fa:16:3e:%02x:%02x:%02x" % tuple(
                self.random.randbytes(3))
            body["admin_state_up"] = self.random.random() < 0.5
        return body

    def step(self):
        live = [t for t in self.things if t.acked]
        roll = self.random.random()
        if roll < 0.6 or not live:
            identity = str(uuid.UUID(int=self.random.getrandbits(128)))
            kind = self.random.choice(["network", "port"])
            thing = Thing(kind, identity)
            self.things.append(thing)
            wanted = self.body(kind, identity)
            method, path, expected = "POST", f"{kind}s", 201
        else:
            thing = self.random.choice(live)
            path = f"{thing.kind}s/{thing.id}"
            if roll < 0.8:
                wanted = self.body(thing.kind, thing.id)
                method, expected = "PUT", 200
            else:
                wanted, method, expected = None, "DELETE", 204
        thing.asked.append(wanted)
        status, answer = self.weftd.neutron(
            method, path, wanted and {thing.kind: wanted})
        assert status == expected, (method, path, status, answer)
        thing.acked, thing.asked = wanted, []
        self.n_acked += 1


def check_things(weftd, things):
    for kind in ("network", "port"):
        status, body = weftd.neutron("GET", f"{kind}s")
        assert status == 200
        actual = {o["id"]: o for o in body[f"{kind}s"]}
        for thing in things:
            if thing.kind == kind:
                thing.check(actual.pop(thing.id, None))
        assert not actual, f"never sent: {actual}"


def test_kill9_under_load(directory):
    seed = int(os.environ.get("SEED", random.getrandbits(32)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    things = []
    total = 0
    with Weftd(directory / "state") as weftd:
        for round_ in range(15):
            clients = [Client(weftd, rng.random(), []) for _ in range(6)]
            for client in clients:
                client.start()
            # Not a wait for a condition: any moment is as good as another.
            time.sleep(rng.uniform(0.02, 0.4))
            weftd.kill9()
            for client in clients:
                client.join()
                assert not client.errors, client.errors
                things += client.things
                total += client.n_acked
            weftd.start()
            check_things(weftd, things)
            status, report = weftd.request("POST", "/weft/v1/check/engine")
            assert status == 200 and report["differences"] == 0, report
        print(f"{total} answered writes over {round_ + 1} kills")
        assert total > 100
        # An orderly stop loses nothing either.
        weftd.stop()
        weftd.start()
        check_things(weftd, things)


# A full disk.

@pytest.fixture
def small_disk(directory):
    """A file system of 3 MB that only a mount namespace sees; gone with the
    process that holds the namespace."""
    mount = directory / "disk"
    mount.mkdir()
    holder = subprocess.Popen(["unshare", "--mount", "sleep", "1000"],
                              preexec_fn=die_with_parent)
    enter = ["nsenter", "--mount", "--target", str(holder.pid), "--"]
    own = os.readlink("/proc/self/ns/mnt")
    wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/mnt") != own,
             what="namespace")
    subprocess.run([*enter, "mount", "-t", "tmpfs", "-o", "size=3m",
                    "tmpfs", mount], check=True)
    yield mount, enter, pathlib.Path(f"/proc/{holder.pid}/root{mount}")
    holder.kill()
    holder.wait()


@needs_root
def test_full_disk(small_disk):
    inside, enter, outside = small_disk
    with Weftd(inside / "state", prefix=enter) as weftd:
        answered = {}
        for i in range(1, 21):
            assert create(weftd, i) == 201
            answered[network(i)["id"]] = network(i)["name"]

        with open(outside / "filler", "wb", buffering=0) as filler:
            with pytest.raises(OSError):
                while True:
                    filler.write(b"x" * 65536)
            with pytest.raises(OSError):
                while True:
                    filler.write(b"x" * 512)
        refused = set()
        for i in range(1000, 6000):
            status = create(weftd, i)
            if status == 201:
                answered[network(i)["id"]] = network(i)["name"]
            else:
                assert status == 503, status
                refused.add(network(i)["id"])
                if len(refused) >= 20:
                    break
        assert len(refused) >= 20
        assert names(weftd) == answered
        problems = weftd.status()["problems"]
        assert any(p["about"] == "store" for p in problems), problems
        assert weftd.request("GET", "/ready")[0] == 200

        (outside / "filler").unlink()
        wait_for(lambda: weftd.status()["store"]["writable"],
                 what="healing by itself")
        for i in range(7000, 7020):
            assert create(weftd, i) == 201
            answered[network(i)["id"]] = network(i)["name"]
        weftd.kill9()
        weftd.start()
        assert names(weftd) == answered


# A damaged file.

@pytest.mark.parametrize("damage", ["header", "middle", "end", "short"])
def test_damaged_file(directory, damage):
    weftd = Weftd(directory / "state")
    with weftd:
        for i in range(1, 201):
            assert create(weftd, i) == 201
        weftd.stop()
        path = directory / "state" / "weft.db"
        data = bytearray(path.read_bytes())
        if damage == "short":
            del data[len(data) // 2:]
        else:
            at = {"header": 4, "middle": data.index(b"network 100"),
                  "end": len(data) - 60}[damage]
            for i in range(8):
                data[at + i] ^= 0x2a
        path.write_bytes(data)
        says = weftd.start_refused()
        assert str(path) in says and "weft restore" in says, says
        assert path.read_bytes() == data, "a refused file is left alone"

        # The way out that the message names.
        path.rename(directory / "aside")
        weftd.start()
        assert names(weftd) == {}


# Backup and restore.

def test_backup_and_restore(directory):
    backup = directory / "backup.db"
    weftd = Weftd(directory / "state")
    with weftd:
        for i in range(1, 51):
            assert create(weftd, i) == 201
        status, answer = weftd.request("POST", "/weft/v1/backup",
                                       {"path": str(backup)})
        assert status == 200 and answer["bytes"] == backup.stat().st_size
        saved = names(weftd)
        assert create(weftd, 51) == 201
        assert create(weftd, 1, "changed") == 201
        status, answer = weftd.request("POST", "/weft/v1/backup",
                                       {"path": "relative"})
        assert status == 400 and answer["error"]["field"] == "path"
        status, answer = weftd.request("POST", "/weft/v1/backup",
                                       {"path": "/nowhere/at/all"})
        assert status == 503, answer

        refused = subprocess.run(weftd.command("--restore", str(backup)),
                                 capture_output=True, text=True, check=False)
        assert refused.returncode == 1 and "weftd" in refused.stderr
        changed = names(weftd)
        weftd.stop()
        subprocess.run(weftd.command("--restore", str(backup)), check=True)
        weftd.start()
        assert names(weftd) == saved
        weftd.stop()

        kept = directory / "state" / "weft.db.before-restore"
        subprocess.run(weftd.command("--restore", str(kept)), check=True)
        weftd.start()
        assert names(weftd) == changed


def test_backup_under_load(weftd, directory):
    client = Client(weftd, 1, [])
    client.start()
    wait_for(lambda: client.n_acked > 50, what="load")
    for i in range(5):
        path = directory / f"backup-{i}"
        status, answer = weftd.request("POST", "/weft/v1/backup",
                                       {"path": str(path)})
        assert status == 200, answer
        check = subprocess.run(["sqlite3", path, "PRAGMA integrity_check"],
                               capture_output=True, text=True, check=True)
        assert check.stdout == "ok\n"
    weftd.kill9()
    client.join()
    assert not client.errors, client.errors


# Manners.

def test_ready_and_stopped_within_a_second(directory):
    weftd = Weftd(directory / "state")
    with weftd:
        weftd.stop()
        for _ in range(3):
            assert weftd.start() < 1
            assert weftd.stop() < 1
        weftd.start()
        clients = [Client(weftd, i, []) for i in range(4)]
        for client in clients:
            client.start()
        wait_for(lambda: sum(c.n_acked for c in clients) > 50, what="load")
        assert weftd.stop() < 1
        things = []
        for client in clients:
            client.join()
            assert not client.errors, client.errors
            things += client.things
        weftd.start()
        check_things(weftd, things)


def test_first_start_shows_the_password_once(directory):
    weftd = Weftd(directory / "state",
                  {"northbound.development": "false"})
    with weftd:
        shown = re.findall(r"admin, password (\S+)", weftd.output)
        assert len(shown) == 1
        url = f"{weftd.url}/weft/v1/status"
        wrong = subprocess.run(["curl", "-sf", "-u", "admin:wrong", url],
                               check=False)
        assert wrong.returncode == 22
        good = subprocess.run(["curl", "-sf", "-u", f"admin:{shown[0]}", url],
                              capture_output=True, check=True)
        assert b'"ready":true' in good.stdout
        files = [p for p in (directory / "state").iterdir() if p.is_file()]
        assert not any(shown[0].encode() in p.read_bytes() for p in files)
        weftd.stop()
        weftd.start()
        assert weftd.output.count("first start") == 1, weftd.output

        set_ = subprocess.run(weftd.command("--set-password", "operator"),
                              input="tr0ub4dor\n", text=True, check=True)
        assert set_.returncode == 0
        weftd.process.send_signal(signal.SIGHUP)
        curl = ["curl", "-sf", "-o", "/dev/null", "-u", "operator:tr0ub4dor",
                url]
        wait_for(lambda: subprocess.run(curl, check=False).returncode == 0,
                 what="new user")


def test_two_daemons_do_not_share_a_directory(weftd, directory):
    says = Weftd(directory / "state").start_refused()
    assert "another weftd" in says
    assert create(weftd, 1) == 201


def test_taken_port_is_named(weftd, directory):
    other = Weftd(directory / "other", {"northbound.ports": weftd.port})
    says = other.start_refused()
    assert "northbound.ports" in says and str(weftd.port) in says
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = Weftd(directory / "other", {"switches.ovsdb_port": port})
        says = other.start_refused()
        assert "ovsdb_port" in says and str(port) in says


def test_configuration_errors(directory):
    conf = directory / "weft.conf"
    conf.write_text("[northbound]\nprots = 1\n")
    done = subprocess.run([program(), "--config", conf, "--check-config"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{conf}:2:" in done.stderr and '"ports"' in done.stderr
    printed = subprocess.run([program(), "--print-config"], text=True,
                             capture_output=True, check=True)
    conf.write_text(printed.stdout)
    subprocess.run([program(), "--config", conf, "--check-config"],
                   check=True)
    assert subprocess.run([program(), "--nonsense"], capture_output=True,
                          check=False).returncode == 2
    assert "weftd" in subprocess.run([program(), "--version"], text=True,
                                     capture_output=True, check=True).stdout


def test_reload(directory):
    conf = directory / "weft.conf"
    conf.write_text("[daemon]\nlog_level = info\n")
    weftd = Weftd(directory / "state")
    weftd.prefix = []
    command = weftd.command
    weftd.command = lambda *a: [*command(), "--config", str(conf), *a]

    def level(module):
        modules = weftd.request("GET", "/weft/v1/log")[1]["modules"]
        return {m["module"]: m["level"] for m in modules}[module]

    with weftd:
        assert level("store") == "info"
        conf.write_text("[daemon]\nlog_level = warn, store:dbg\n"
                        f"log_file = {directory}/log\n"
                        "[switches]\nbridge = br-other\n")
        weftd.process.send_signal(signal.SIGHUP)
        wait_for(lambda: level("store") == "dbg", what="new level")
        assert level("main") == "warn"
        wait_for(lambda: "switches.bridge" in weftd.output,
                 what="hint that a restart is needed")
        assert (directory / "log").exists()

        conf.write_text("[daemon]\nlog_level = loud\n")
        weftd.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "stays as it was" in weftd.output, what="refusal")
        assert level("store") == "dbg"
        assert create(weftd, 1) == 201


@needs_root
def test_drops_privileges(directory):
    with Weftd(directory / "state", {"daemon.user": "nobody"}) as weftd:
        status = pathlib.Path(f"/proc/{weftd.process.pid}/status").read_text()
        uids = re.search(r"Uid:\s+(\d+)\s+(\d+)\s+(\d+)", status).groups()
        assert "0" not in uids
        assert re.search(r"NoNewPrivs:\s+1", status)
        for i in range(1, 21):
            assert create(weftd, i) == 201
        weftd.stop()
        weftd.start()
        assert len(names(weftd)) == 20


def test_notifies_the_service_manager(directory, monkeypatch):
    path = str(directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        with Weftd(directory / "state") as weftd:
            assert manager.recv(100) == b"READY=1"
            weftd.stop()
            assert manager.recv(100) == b"STOPPING=1"


@needs_root
def test_root_leaves_files_to_the_daemons_user(directory):
    """What root does to a stopped daemon does not lock its user out."""
    state = directory / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    weftd = Weftd(state)
    subprocess.run(weftd.command("--set-password", "operator"),
                   input="tr0ub4dor\n", text=True, check=True)
    weftd.prefix = ["setpriv", "--reuid=65534", "--regid=65534",
                    "--clear-groups"]
    with weftd:
        assert create(weftd, 1) == 201
        status, _ = weftd.request("POST", "/weft/v1/backup",
                                  {"path": str(state / "backup")})
        assert status == 200
        weftd.stop()
        prefix, weftd.prefix = weftd.prefix, []
        subprocess.run(weftd.command("--restore", str(state / "backup")),
                       check=True)
        weftd.prefix = prefix
        weftd.start()
        assert len(names(weftd)) == 1
        assert create(weftd, 2) == 201
