"""PURE. Where all processes of a server listen."""

from typing import NamedTuple

from servers.web.certificate import Certificate


class Place(NamedTuple):
    """Ports, None for what is not served; files: of the certificate, None without TLS."""

    http_port: int
    http2_port: int | None
    https_port: int | None
    files: Certificate | None
