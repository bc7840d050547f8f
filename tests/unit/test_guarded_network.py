"""Where the farm may send what strangers ask it to: to public addresses, however they are spelt,
and never to another than the one that was looked at.
"""

from ipaddress import ip_network

import httpcore
import pytest

from farm.dispatch.guarded_network import Forbidden, GuardedNetwork, resolve
from farm.dispatch.reachable import may_reach

INSIDE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "not an address",
    "",
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_out_of_reach(address):
    assert not may_reach(address, ())


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"]
)
def test_what_is_public_is_not(address):
    assert may_reach(address, ())


def test_an_operator_can_allow_a_network():
    allowed = [ip_network("10.1.2.0/24"), ip_network("fc00::/8")]
    assert may_reach("10.1.2.9", allowed)
    assert may_reach("::ffff:10.1.2.9", allowed)
    assert may_reach("fc00::7", allowed)
    assert not may_reach("10.1.3.9", allowed)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_other_spellings_of_a_number_stand_for_the_same(host):
    assert resolve(host, 80) == ["127.0.0.1"]
    with pytest.raises(Forbidden):
        GuardedNetwork((), deadline=1.0, clock=lambda: 0.0).connect_tcp(host, 80)


def test_one_address_inside_among_several_is_enough():
    network = GuardedNetwork(
        (),
        deadline=1.0,
        clock=lambda: 0.0,
        look_up=lambda host, port: ["93.184.215.14", "10.0.0.1"],
    )
    with pytest.raises(Forbidden, match=r"hooks\.example"):
        network.connect_tcp("hooks.example", 443)


def test_a_name_that_is_not_known_may_be_known_later():
    def unknown(host, port):
        raise OSError

    network = GuardedNetwork((), deadline=1.0, look_up=unknown)
    with pytest.raises(httpcore.ConnectError):
        network.connect_tcp("hooks.example", 443)


class Dripping(httpcore.NetworkStream):
    """It notes how long it may take, and answers a byte at a time."""

    def __init__(self):
        self.given = []

    def read(self, max_bytes, timeout=None):
        self.given.append(timeout)
        return b"x"

    def write(self, buffer, timeout=None):
        self.given.append(timeout)

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        self.given.append((server_hostname, timeout))
        return self

    def get_extra_info(self, info):
        return info

    def close(self):
        self.given.append("closed")


def test_an_answer_that_drips_ends_at_the_deadline(monkeypatch):
    now, inner = [0.0], Dripping()
    network = GuardedNetwork(
        (), deadline=10.0, clock=lambda: now[0], look_up=lambda host, port: ["93.184.215.14"]
    )
    called = []

    def connect(_self, host, port, *more):
        called.append((host, port))
        return inner

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    stream = network.connect_tcp("hooks.example", 443)
    assert called == [("93.184.215.14", 443)]
    secured = stream.start_tls(None, "hooks.example", 30.0)
    now[0] = 4.0
    secured.write(b"", None)
    assert secured.read(1, 2.0) == b"x"
    now[0] = 9.0
    assert secured.read(1, 5.0) == b"x"
    assert inner.given == [("hooks.example", 10.0), 6.0, 2.0, 1.0]
    now[0] = 10.0
    with pytest.raises(httpcore.ReadTimeout):
        secured.read(1, 5.0)
    assert secured.get_extra_info("socket") == "socket"
    secured.close()
    assert inner.given[-1] == "closed"
