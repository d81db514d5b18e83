"""Who may ask the server what: the one place that decides.

A page of any site can make a person's browser send requests to this machine. So a request must name this server as its
Host (another name that leads here is somebody's trick, DNS rebinding), and one that changes anything must come from a
page of ours (Origin) that was opened with the token, which is drawn anew at each start.
"""

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

READS = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Guard:
    """``host`` is what the person named, or the loopback address; ``token`` lets its holder write."""

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def refusal(self, request: Request) -> str | None:
        """Why the request is refused; None where it is not."""
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            return "this server is not called that; use the address that the command printed"
        if request.method in READS:
            return None
        if request.headers.get("origin") != f"http://{host}":
            return "only a page of this server may ask for that"
        if not secrets.compare_digest(request.query_params.get("token", "").encode(), self.token.encode()):
            return "the token is not this server's; open the link that the command printed"
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host is this server's. A name can lead anywhere, so it must be one of this machine's; an address
        cannot."""
        try:
            name, port = urlsplit(f"//{host}").hostname or "", urlsplit(f"//{host}").port or 80
        except ValueError:
            return False
        if port != self.port:
            return False
        names = {self.host.lower(), "localhost"}
        if is_loopback(self.host):
            return name in names or is_loopback(name)
        return name in names | {socket.gethostname().lower(), socket.getfqdn().lower()} or _is_address(name)


def is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
