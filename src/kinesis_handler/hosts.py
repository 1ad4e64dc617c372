"""Tells which names of a host are this machine's. Pure."""

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]*)?")
"""Pattern of a host, with an optional port. Source: https://www.rfc-editor.org/rfc/rfc9110#section-7.2"""


@lru_cache(64)
def is_this_machine(host: str) -> bool:
    """Tell whether a Host header names this machine, in any case, with or without a port."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"]
    # https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2: a final dot marks a complete name
    if name is not None and name.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ip_address(name or match["ipv6"]).is_loopback
    except ValueError:
        return False
