"""The client and the requested address: X-Forwarded-* counts only from a trusted proxy."""
import ipaddress


def origin(peer: str, headers, trusted: list) -> dict[str, str]:
    """Scheme, host and client of a request; the client is the rightmost address that is not a trusted proxy."""
    scheme, host, client = "http", headers.get("Host", ""), plain(peer)
    if is_in(client, trusted):
        scheme = headers.get("X-Forwarded-Proto", scheme)
        host = headers.get("X-Forwarded-Host", host)
        hops = [hop.strip() for hop in headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        for client in reversed([*hops, client]):
            if not is_in(client, trusted):
                break
    return {"scheme": scheme, "host": host, "client": client, "peer": plain(peer)}


def plain(address: str) -> str:
    """An IPv4 peer of an IPv6 socket ('::ffff:10.0.0.1') as IPv4; the Unix socket's peers have no address."""
    return address.removeprefix("::ffff:") or "unix"


def is_in(address: str, networks: list) -> bool:
    try:
        return any(ipaddress.ip_address(address) in network for network in networks)
    except ValueError:
        return False
