# SPDX-License-Identifier: Apache-2.0
"""weftd in a rig, and a client that talks to it as Neutron's driver does.

The bodies are those of the recorded networking-odl driver: all keys it sends,
in its forms (a binding:profile that is text, security groups that are
objects).
"""

import base64
import contextlib
import http.client
import json
import os
import queue
import socket
import threading
import time
import uuid

from rig import Daemon, inside, run, wait_until

BASE = "/controller/nb/v2/neutron"
EVENTS = "/weft/v1/events"
READY = "/ready"
USER, PASSWORD = "admin", "admin"

CONFIG = """\
# weftd in a rig: everything below {directory}, nothing of the machine.
[daemon]
state_dir = {directory}
run_dir = {directory}

[northbound]
# admin/admin is for demonstrations only.
development = true

[switches]
prefer_netdev = true
{options}
[fabric]
underlay_mtu = {mtu}
"""

# Collection by wrapper key, where adding "s" is not enough.
COLLECTIONS = {"security_group": "security-groups",
               "security_group_rule": "security-group-rules"}


class HttpError(Exception):
    def __init__(self, status, text, what):
        super().__init__(f"{what}: {status} {text}")
        self.status = status
        self.text = text


class Connection(http.client.HTTPConnection):
    """A TCP connection made inside a namespace."""

    def __init__(self, namespace, host, port, timeout=10):
        super().__init__(host, port, timeout=timeout)
        self.namespace = namespace

    def connect(self):
        with inside(self.namespace.name):
            self.sock = socket.create_connection((self.host, self.port),
                                                 self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Client:
    """HTTP with basic authentication on one connection that is kept.  One
    per thread."""

    def __init__(self, namespace, host, port=8080, user=USER,
                 password=PASSWORD):
        self.connection = Connection(namespace, host, port)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": "Basic " + token,
                        "Content-Type": "application/json",
                        "Accept": "*/*"}

    def request(self, method, path, body=None):
        """(status, JSON or text).  Tries once more when the server had closed
        the idle connection."""
        data = None if body is None else json.dumps(body, indent=2)
        for last in (False, True):
            try:
                self.connection.request(method, path, data, self.headers)
                answer = self.connection.getresponse()
                text = answer.read().decode()
                break
            except (ConnectionError, http.client.HTTPException):
                self.connection.close()
                if last:
                    raise
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, text

    def call(self, method, path, body=None):
        """The answer; HttpError when it is not a success."""
        status, answer = self.request(method, path, body)
        if status >= 300:
            raise HttpError(status, answer, f"{method} {path}")
        return answer

    def close(self):
        self.connection.close()


class Events(threading.Thread):
    """Follows the event stream from the moment it is made until close()."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.status = {}                # {port id: last status told}
        self.seen = []                  # [(kind, data)]
        self.changed = threading.Condition()
        self.started = queue.Queue()
        self.connection = client.connection
        self.connection.timeout = None
        self.headers = {**client.headers, "Accept": "text/event-stream"}
        self.start()
        problem = self.started.get(timeout=10)
        if problem:
            raise problem

    def run(self):
        try:
            self.connection.request("GET", EVENTS, headers=self.headers)
            answer = self.connection.getresponse()
            if answer.status != 200:
                raise HttpError(answer.status, answer.read().decode(), EVENTS)
            self.started.put(None)
        except Exception as error:      # Told to whoever waits for us.
            self.started.put(error)
            return
        kind, lines = "message", []
        while True:
            try:
                line = answer.readline().decode().rstrip("\r\n")
            except (OSError, ValueError, AttributeError,
                    http.client.HTTPException):
                return
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("data:"):
                lines.append(line[5:].strip())
            elif not line:
                if lines:
                    self.take(kind, "\n".join(lines))
                elif answer.isclosed():
                    return
                kind, lines = "message", []

    def take(self, kind, text):
        data = json.loads(text)
        with self.changed:
            self.seen.append((kind, data))
            if kind == "status":
                name = data.get("port") or data.get("id")
                self.status[name] = data.get("status")
            self.changed.notify_all()

    def wait_status(self, ports, status="ACTIVE", seconds=20.0):
        """Waits until all 'ports' (ids) have 'status'; the ids that have not
        when the time is over."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                left = [p for p in ports if self.status.get(p) != status]
                remaining = deadline - time.monotonic()
                if not left or remaining <= 0:
                    return left
                self.changed.wait(remaining)

    def close(self):
        with contextlib.suppress(OSError, AttributeError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(2)


class Weftd:
    """The daemon under test, in the rig's control namespace.  'options' are
    lines for the section [switches]."""

    def __init__(self, rig, options=""):
        self.rig = rig
        self.directory = os.path.join(rig.directory, "weftd")
        os.makedirs(self.directory, exist_ok=True)
        self.socket = os.path.join(self.directory, "weft.sock")
        self.log = os.path.join(self.directory, "weftd.log")
        self.config = os.path.join(self.directory, "weft.conf")
        with open(self.config, "w") as file:
            file.write(CONFIG.format(directory=self.directory,
                                     options=options, mtu=rig.underlay_mtu))
        self.program = os.path.join(rig.build, "src", "weftd")
        self.daemon = None
        rig.weftd = self

    def start(self):
        """Starts it and waits until it is ready; the seconds that took."""
        start = time.monotonic()
        self.daemon = Daemon(
            self.rig, "weftd",
            self.rig.control.command(self.program, "--config", self.config),
            self.log)
        wait_until(self.is_ready,
                   lambda: "weftd is not ready:\n" + self.daemon.tail(),
                   seconds=20, every=0.01)
        return time.monotonic() - start

    def is_ready(self):
        if not self.daemon.is_running():
            raise RuntimeError("weftd ended:\n" + self.daemon.tail())
        client = self.client()
        try:
            return client.request("GET", READY)[0] == 200
        except OSError:
            return False
        finally:
            client.close()

    def client(self):
        return Client(self.rig.control, self.rig.address)

    def call(self, method, path, body=None):
        client = self.client()
        try:
            return client.call(method, path, body)
        finally:
            client.close()

    def weft(self, *argv, check=True):
        """What the command line prints."""
        return run(os.path.join(self.rig.build, "cli", "weft"), "--socket",
                   self.socket, *argv, check=check)

    def hosts(self):
        return {host["name"]: host
                for host in self.call("GET", "/weft/v1/hosts")["hosts"]}

    def wait_hosts(self, names, seconds=20.0):
        """Waits until these hosts are connected and up to date."""
        def settled():
            hosts = self.hosts()
            return all(name in hosts and hosts[name]["connected"]
                       and hosts[name]["state"] == "in step"
                       and not hosts[name]["pending"] for name in names)
        wait_until(settled, lambda: f"hosts {names}: {self.hosts()}", seconds)


class Cloud:
    """One tenant's view of the northbound, as Neutron's driver sends it."""

    def __init__(self, client, tenant=None):
        self.client = client
        self.tenant = tenant or uuid.uuid4().hex
        self.made = []                  # [(collection, id)]

    def collection(self, kind):
        return COLLECTIONS.get(kind, kind + "s")

    def create(self, kind, body):
        body = {"id": str(uuid.uuid4()), "tenant_id": self.tenant,
                "project_id": self.tenant, **body}
        answer = self.client.call("POST", f"{BASE}/{self.collection(kind)}",
                                  {kind: body})
        self.made.append((self.collection(kind), body["id"]))
        return answer[kind] if answer and kind in answer else body

    def update(self, kind, ident, body):
        return self.client.call(
            "PUT", f"{BASE}/{self.collection(kind)}/{ident}", {kind: body})

    def delete(self, kind, ident):
        self.client.call("DELETE", f"{BASE}/{self.collection(kind)}/{ident}")
        with contextlib.suppress(ValueError):
            self.made.remove((self.collection(kind), ident))

    def get(self, kind, ident):
        return self.client.call(
            "GET", f"{BASE}/{self.collection(kind)}/{ident}")[kind]

    def network(self, name, segment, kind="vxlan", physnet=None, **more):
        return self.create("network", {
            "name": name, "admin_state_up": True, "shared": False,
            "mtu": {"vxlan": 1450, "gre": 1458, "geneve": 1442}.get(kind,
                                                                    1500),
            "port_security_enabled": True, "router:external": False,
            "provider:network_type": kind,
            "provider:physical_network": physnet,
            "provider:segmentation_id": segment,
            "vlan_transparent": False, "is_default": False,
            "availability_zone_hints": [], "availability_zones": [],
            "ipv4_address_scope": None, "ipv6_address_scope": None,
            "description": "", "l2_adjacency": True, "tags": [],
            "revision_number": 1, **more})

    def subnet(self, network, cidr, gateway=None, **more):
        v6 = ":" in cidr
        return self.create("subnet", {
            "name": "", "network_id": network["id"],
            "ip_version": 6 if v6 else 4, "cidr": cidr,
            "gateway_ip": gateway, "enable_dhcp": True,
            "allocation_pools": [], "dns_nameservers": [], "host_routes": [],
            "ipv6_ra_mode": None, "ipv6_address_mode": None,
            "service_types": [], "shared": False, "description": "",
            "subnetpool_id": None, "revision_number": 0, **more})

    def port_body(self, network, mac, fixed_ips, host, **more):
        """'fixed_ips': [(subnet, address)]."""
        return {
            "name": "", "network_id": network["id"], "mac_address": mac,
            "admin_state_up": True, "device_id": str(uuid.uuid4()),
            "device_owner": "compute:nova",
            "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": address}
                          for subnet, address in fixed_ips],
            "security_groups": [], "allowed_address_pairs": [],
            "port_security_enabled": True, "extra_dhcp_opts": [],
            "binding:vnic_type": "normal", "binding:host_id": host,
            "binding:vif_type": "ovs", "binding:profile": "{}",
            "binding:vif_details": {"port_filter": True}, **more}

    def port(self, network, mac, fixed_ips, host="", **more):
        return self.create("port", self.port_body(network, mac, fixed_ips,
                                                  host, **more))

    def update_port(self, port, **more):
        """A PUT as the driver sends it: everything but the identity."""
        left_out = ("id", "network_id", "tenant_id", "project_id", "status")
        body = {key: value for key, value in port.items()
                if key not in left_out}
        body.update(more)
        self.update("port", port["id"], body)
        return {**port, **more}

    def clean(self):
        """Deletes what was made here, children first."""
        for collection, ident in reversed(self.made):
            self.client.request("DELETE", f"{BASE}/{collection}/{ident}")
        self.made.clear()
