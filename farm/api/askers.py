"""The network address that a request comes from."""

from ipaddress import ip_address

from starlette.types import Scope

_STRANGE = "unknown"


def asker_of(scope: Scope) -> str | None:
    """That of the other end of the connection, without a zone. If that is a proxy of
    `FARM_PROXIES`, the server has put the address here that the proxy names; whatever is no
    address counts as one and the same. What headers of others say of it anybody can write.
    """
    client = scope.get("client")
    if client is None:
        return None
    try:
        return str(ip_address(str(client[0]).partition("%")[0]))
    except ValueError:
        return _STRANGE
