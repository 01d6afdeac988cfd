# SPDX-License-Identifier: Apache-2.0
"""TLS between switches and weftd, OVSDB and OpenFlow, with certificates made
by openssl: the right ones work, others are refused."""

import os

import pytest
from conftest import Network, Site
from rig import Rig, run, wait_until


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory, name):
        self.directory = directory
        self.name = name
        os.makedirs(directory, exist_ok=True)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-days", "2", "-subj", "/CN=" + name, "-keyout",
            self.path("ca.key"), "-out", self.path("ca.pem"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def issue(self, name):
        """(key, certificate) for 'name'."""
        key, request, certificate = (self.path(name + suffix) for suffix in (
            ".key", ".csr", ".pem"))
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj",
            "/CN=" + name, "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-days", "2", "-in", request, "-CA",
            self.path("ca.pem"), "-CAkey", self.path("ca.key"),
            "-CAcreateserial", "-out", certificate)
        return key, certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")), "weft test CA")


@pytest.fixture(scope="module")
def bare_site(authority):
    key, certificate = authority.issue("weftd")
    os.chmod(authority.directory, 0o755)
    site = Site(f"tls_key = {key}\ntls_certificate = {certificate}\n"
                f"tls_ca = {authority.path('ca.pem')}\n", n_hypervisors=2)
    for host in site.hosts:
        host.vsctl("set-ssl", *authority.issue(host.name),
                   authority.path("ca.pem"))
    site.connect(scheme="ssl")
    yield site
    site.close()


def test_over_tls(site):
    network = Network(site, 7601)
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four) and one.reaches(two.six)
    for host in site.hosts:
        target = host.vsctl("get-controller", "br-int").split()
        assert target and all(t.startswith("ssl:") for t in target), target


def test_foreign_certificate_is_refused(site, tmp_path):
    """A switch with a certificate of another authority, and one without."""
    foreign = Authority(str(tmp_path / "foreign"), "somebody else")
    host = site.hosts[1]
    good = host.vsctl("get-ssl")
    key, certificate = foreign.issue("hv2")
    authority = site.hosts[0].vsctl("get-ssl").split("CA Certificate:")[
        1].split()[0]
    host.vsctl("del-manager")
    wait_until(lambda: not site.weftd.hosts()["hv2"]["connected"],
               "still connected")
    try:
        host.vsctl("set-ssl", key, certificate, authority)
        host.vsctl("set-manager", f"ssl:{site.rig.address}:6640")
        wait_until(lambda: "ACTIVE" not in host.vsctl(
            "--columns=status", "list", "manager"), "a connection")
        wait_until(lambda: host.vsctl("--columns=status", "list",
                                      "manager").count("last_error")
                   or "BACKOFF" in host.vsctl("--columns=status", "list",
                                              "manager"), "a refusal", 15)
        assert not site.weftd.hosts()["hv2"]["connected"]
        # The others do not notice.
        assert site.weftd.hosts()["hv1"]["connected"]
    finally:
        words = dict(line.split(": ", 1) for line in good.splitlines()
                     if ": " in line)
        host.vsctl("set-ssl", words["Private key"], words["Certificate"],
                   words["CA Certificate"])
        host.vsctl("del-manager")
        host.connect(scheme="ssl")
        site.settle()


def test_plain_is_refused_when_tls_is_set(site):
    host = site.hosts[1]
    host.vsctl("set-manager", f"tcp:{site.rig.address}:6640")
    wait_until(lambda: not site.weftd.hosts()["hv2"]["connected"],
               "still connected")
    assert Rig is not None
    host.connect(scheme="ssl")
    site.settle()
