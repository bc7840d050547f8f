"""Which network addresses the farm may send to. Pure."""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def inner_of(address: Address) -> Address:
    """The address that one of IPv6 stands for, if it carries one of IPv4."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def may_reach(text: str, allowed: Iterable[Network]) -> bool:
    """Whether the farm may send to an address: a public one, or one that an operator allows."""
    try:
        address = inner_of(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if any(address in network for network in allowed):
        return True
    is_teredo = isinstance(address, ipaddress.IPv6Address) and address.teredo is not None
    return address.is_global and not address.is_multicast and not is_teredo
