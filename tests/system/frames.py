# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames by hand, for machines that do not behave, and for looking
at what arrived."""

import ipaddress
import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
ETH_IP, ETH_ARP, ETH_IP6, ETH_VLAN = 0x0800, 0x0806, 0x86dd, 0x8100
VXLAN_PORT = 4789


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(source, target, kind, payload):
    frame = mac(target) + mac(source) + struct.pack("!H", kind) + payload
    return frame.ljust(60, b"\0")


def arp(sender_mac, sender_ip, target_ip, operation=1,
        target_mac="00:00:00:00:00:00", ethernet_source=None,
        ethernet_target=BROADCAST):
    """RFC 826; the Ethernet source may differ from the claimed sender."""
    return ethernet(
        ethernet_source or sender_mac, ethernet_target, ETH_ARP,
        struct.pack("!HHBBH", 1, ETH_IP, 6, 4, operation) + mac(sender_mac)
        + ip(sender_ip) + mac(target_mac) + ip(target_ip))


def udp(source, target, source_ip, target_ip, payload, source_port=5000,
        target_port=5000):
    """IPv4 or IPv6, by the form of the addresses."""
    length = 8 + len(payload)
    v6 = ":" in source_ip
    if v6:
        pseudo = ip(source_ip) + ip(target_ip) + struct.pack(
            "!IxxxB", length, socket.IPPROTO_UDP)
    else:
        pseudo = ip(source_ip) + ip(target_ip) + struct.pack(
            "!xBH", socket.IPPROTO_UDP, length)
    header = struct.pack("!HHHH", source_port, target_port, length, 0)
    value = checksum(pseudo + header + payload) or 0xffff
    datagram = struct.pack("!HHHH", source_port, target_port, length,
                           value) + payload
    if v6:
        packet = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP,
                             64) + ip(source_ip) + ip(target_ip)
        return ethernet(source, target, ETH_IP6, packet + datagram)
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64,
                         socket.IPPROTO_UDP, 0) + ip(source_ip) + ip(
                             target_ip)
    packet = packet[:10] + struct.pack("!H", checksum(packet)) + packet[12:]
    return ethernet(source, target, ETH_IP, packet + datagram)


def advertisement(source, source_ip, target_ip, target_mac=None,
                  destination="ff02::1",
                  ethernet_target="33:33:00:00:00:01"):
    """A neighbour advertisement (RFC 4861 section 4.4) that claims
    'target_ip'."""
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + ip(target_ip)
    body += struct.pack("!BB", 2, 1) + mac(target_mac or source)
    pseudo = ip(source_ip) + ip(destination) + struct.pack(
        "!IxxxB", len(body), socket.IPPROTO_ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    packet = struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6,
                         255) + ip(source_ip) + ip(destination)
    return ethernet(source, ethernet_target, ETH_IP6, packet + body)


def kind(frame):
    return struct.unpack_from("!H", frame, 12)[0]


def inner(frame):
    """(VNI, frame) carried by a VXLAN packet (RFC 7348), or None."""
    if kind(frame) != ETH_IP or frame[23] != socket.IPPROTO_UDP:
        return None
    start = 14 + (frame[14] & 15) * 4
    if struct.unpack_from("!H", frame, start + 2)[0] != VXLAN_PORT:
        return None
    return int.from_bytes(frame[start + 12:start + 15], "big"), \
        frame[start + 16:]


def is_solicitation(frame, target=None):
    """A neighbour solicitation, for 'target' if given."""
    return (kind(frame) == ETH_IP6 and len(frame) >= 78
            and frame[20] == socket.IPPROTO_ICMPV6 and frame[54] == 135
            and (target is None or frame[62:78] == ip(target)))


def is_arp_request(frame, target=None):
    return (kind(frame) == ETH_ARP and frame[20:22] == b"\0\1"
            and (target is None or frame[38:42] == ip(target)))
