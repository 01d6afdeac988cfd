# SPDX-License-Identifier: Apache-2.0
"""The command weft against a running cloud."""

import json
import os
import subprocess

import pytest
from conftest import BUILD, Network
from rig import run, wait_until

WEFT = os.path.join(BUILD, "cli", "weft")


@pytest.fixture
def pair(site):
    network = Network(site, 7001)
    return network.vm(1, 11, name="first"), network.vm(2, 12, name="second")


def weft(site, *argv, socket=None, env=None, status=0, prefix=()):
    done = subprocess.run(
        [*prefix, WEFT, "--socket", socket or site.weftd.socket, *argv],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})}, timeout=30, check=False)
    assert done.returncode == status, done.stdout
    return done.stdout


def test_status_and_hosts(site, pair):
    text = weft(site, "status")
    assert "3 of 3 connected" in text and "ready" in text, text
    status = json.loads(weft(site, "status", "-o", "json"))
    assert status["hosts"] == {"known": 3, "connected": 3}
    text = weft(site, "hosts")
    for host in site.hosts:
        assert host.name in text and host.address in text
    assert weft(site, "hosts", "-o", "ids").split() == site.names


def test_lists_and_show(site, pair):
    one, two = pair
    text = weft(site, "port", "list")
    assert one.port["id"] in text and two.port["id"] in text
    assert "first" in text and "ACTIVE" in text, text
    text = weft(site, "ports", "list", "name=second", "-o", "ids")
    assert text.split() == [two.port["id"]]
    for word in (one.port["id"], one.port["id"][:13], "first"):
        shown = json.loads(weft(site, "port", "show", word, "-o", "json"))
        assert shown["id"] == one.port["id"]
    assert "mac_address" in weft(site, "port", "show", "first")
    weft(site, "port", "show", "nobody", status=1)
    assert "could be any" in weft(site, "port", "show", "", status=2)
    assert weft(site, "security-group", "list").strip()
    text = weft(site, "resources", "-o", "ids").split()
    assert "port" in text and "security-group" in text


def test_rules_and_explain(site, pair):
    text = weft(site, "rules", "hv1")
    assert "segment" in text and "host" in text, text
    segment = "segment:" + pair[0].port["network_id"]
    assert pair[1].mac in weft(site, "rules", segment)
    assert "packets" in weft(site, "rules", "hv1", "--live")
    text = weft(site, "explain", "first")
    assert "ACTIVE" in text and "hv1" in text, text
    text = weft(site, "explain", pair[0].port["network_id"])
    assert "largest mtu that fits 1450" in text and "hv1" in text, text
    site.hosts[0].unplug(pair[0])
    site.wait_status("DOWN", pair[0].port)
    assert "why not ACTIVE" in weft(site, "explain", "first")


def test_checks(site, pair):
    assert "equal" in weft(site, "check", "engine")
    text = weft(site, "check", "switches")
    assert text.count("0 missing, 0 stale") == 3, text
    # Somebody takes a rule away: it is told, and the status says so.
    site.hosts[0].ofctl("del-flows", "br-int",
                        "cookie=0x7765000000000000/0xffff000000000000,"
                        "table=60")
    text = weft(site, "check", "switches", "hv1", status=1)
    assert "missing" in text, text
    weft(site, "check", "switches", "hv2")
    site.weftd.daemon.end()
    site.weftd.start()
    site.settle()
    site.follow()
    weft(site, "check", "switches")


def test_log(site):
    modules = weft(site, "log", "-o", "ids").split()
    assert modules
    weft(site, "log", modules[0], "dbg")
    rows = [line.split() for line in weft(site, "log").splitlines()]
    assert [modules[0], "dbg"] in [[r[0], r[1].lower()] for r in rows]
    weft(site, "log", modules[0], "info")
    weft(site, "log", "nosuchmodule", "info", status=1)


def test_backup(site, pair, tmp_path):
    os.chmod(tmp_path, 0o777)
    path = str(tmp_path / "copy.db")
    assert path in weft(site, "backup", path)
    assert run("sqlite3", path, "pragma integrity_check").strip() == "ok"
    assert "stop" in weft(site, "restore", path, status=1)


def test_forget(site):
    text = weft(site, "host", "forget", "hv1", status=1)
    assert "connected" in text, text
    weft(site, "host", "forget", "nosuch", status=1)


def test_events(site):
    process = subprocess.Popen(
        [WEFT, "--socket", site.weftd.socket, "events", "-o", "json"],
        stdout=subprocess.PIPE, text=True)
    try:
        network = Network(site, 7002)
        vm = network.vm(1, 11)
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "status" and vm.port["id"] in line:
                break
    finally:
        process.kill()
        process.communicate()


def test_errors_say_what_to_do(site):
    text = weft(site, "status", socket="/nonexistent/weft.sock", status=2)
    assert "is it running" in text and "systemctl" in text
    assert "weft help" in weft(site, "nosuch", status=2)
    assert "usage" in weft(site, "explain", status=2)


def test_over_the_network(site, tmp_path):
    """Password by file or environment; a wrong one is refused."""
    inside = site.rig.control.command()
    url = ["--url", f"http://{site.rig.address}:8080", "--user", "admin"]
    password = tmp_path / "password"
    password.write_text("admin\n")
    assert "ready" in weft(site, *url, "--password-file", str(password),
                           "status", prefix=inside)
    assert "ready" in weft(site, *url, "status", prefix=inside,
                           env={"WEFT_PASSWORD": "admin"})
    text = weft(site, *url, "status", prefix=inside, status=2,
                env={"WEFT_PASSWORD": "wrong"})
    assert "password" in text


def test_completion(site, pair):
    script = weft(site, "completion", "bash")

    def complete(*words):
        line = " ".join(f"'{word}'" for word in words)
        return run("bash", "-c", script + f"""
PATH={os.path.dirname(WEFT)}:$PATH
COMP_WORDS=(weft --socket {site.weftd.socket} {line})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_weft
printf '%s\\n' "${{COMPREPLY[@]}}"
""").split()

    assert complete("sta") == ["status"]
    assert complete("check", "") == ["engine", "switches"]
    assert "security-group" in complete("sec")
    assert complete("rules", "hv") == site.names
    assert complete("port", "show", pair[0].port["id"][:20]) == [
        pair[0].port["id"]]
    assert wait_until(lambda: True, "")
