"""A certificate for 127.0.0.1 that lives as long as the process: browsers speak HTTP/2 over TLS or not at all."""

from pathlib import Path

import trustme


def write_certificate(folder: Path) -> tuple[str, str]:
    """Write a new self-made certificate chain and its private key there; return both paths."""
    made = trustme.CA().issue_cert("127.0.0.1", "localhost")
    chain, key = folder / "certificate.pem", folder / "key.pem"
    for nth, pem in enumerate(made.cert_chain_pems):
        pem.write_to_path(str(chain), append=nth > 0)
    made.private_key_pem.write_to_path(str(key))
    return str(chain), str(key)
