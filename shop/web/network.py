"""Telling visitors apart without keeping who they are: keyed hashes of network and email addresses."""

from __future__ import annotations

import hmac
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from ..mailbox import mailbox
from ..signing import accepted_keys


def client_key(remote_addr: str | None) -> str:
    """A keyed hash of the network that a request comes from; empty if its address tells nobody apart.

    Of IPv6 the /64 counts, because one customer of a provider has a whole one. An address that is not
    public is that of our own proxy, most often because SHOP_TRUSTED_PROXIES is not set: all visitors have it.
    """
    try:
        address = ip_address(remote_addr or "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return keyed_hash("client", _network(address)) if address.is_global else ""


def mailbox_key(address: str) -> str:
    """A keyed hash of the mailbox that an email address leads to."""
    return keyed_hash("buyer", mailbox(address))


def mailbox_keys(address: str) -> list[str]:
    """The keyed hashes of that mailbox, one under each accepted key."""
    return keyed_hashes("buyer", mailbox(address))


def keyed_hash(kind: str, text: str) -> str:
    """A hash by which the same text is known again; to anybody without SECRET_KEY it tells nothing.

    It is made with the current key. Limits count by it alone, so they begin anew after a change of SECRET_KEY.
    """
    return keyed_hashes(kind, text)[0]


def keyed_hashes(kind: str, text: str) -> list[str]:
    """The text's hash under each accepted key, the current one first, to find what was stored before a change."""
    message = f"{kind}:{text}".encode()
    keys = reversed(list(accepted_keys()))
    return [hmac.digest(key.encode(), message, "sha256").hex()[:32] for key in keys]


def _network(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, 64), strict=False).network_address)
