"""Whose request it is, without ever keeping who it was: keyed hashes of network and email addresses."""

from __future__ import annotations

import hmac
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from ..mailbox import mailbox
from ..signing import accepted_keys


def client_key(remote_addr: str | None) -> str:
    """A keyed hash of the network that a request comes from; empty where its address says nothing.

    One customer of a provider has a whole /64 of IPv6. An address that is not a public one is a
    proxy's of our own, most often because SHOP_TRUSTED_PROXIES is not set: it stands for everybody.
    """
    try:
        address = ip_address(remote_addr or "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return keyed_hash("client", _network(address)) if address.is_global else ""


def mailbox_key(address: str) -> str:
    """A keyed hash of whose mailbox an email address is."""
    return keyed_hash("buyer", mailbox(address))


def mailbox_keys(address: str) -> list[str]:
    """The same under each accepted key."""
    return keyed_hashes("buyer", mailbox(address))


def keyed_hash(kind: str, text: str) -> str:
    """What tells the same from another and, without SECRET_KEY, nothing else.

    Limits count by this one alone: after a change of SECRET_KEY they begin anew.
    """
    return keyed_hashes(kind, text)[0]


def keyed_hashes(kind: str, text: str) -> list[str]:
    """The same under each accepted key, the current one first: to find what was stored before a change."""
    message = f"{kind}:{text}".encode()
    keys = reversed(list(accepted_keys()))
    return [hmac.digest(key.encode(), message, "sha256").hex()[:32] for key in keys]


def _network(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, 64), strict=False).network_address)
