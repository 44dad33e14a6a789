"""A certificate for this machine that lives as long as the process: nobody has to get one, no key is everybody's."""

from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """Files in PEM form: the chain, its private key, and the authority that signed, which clients trust."""

    chain: str
    key: str
    authority: str


def write_certificate(folder: Path, *hosts: str) -> Certificate:
    """Write a new one there, for 127.0.0.1, localhost and the hosts that are named beside."""
    import trustme  # 40 ms and 15 MB that only a server under TLS needs

    authority = trustme.CA()
    made = authority.issue_cert(*dict.fromkeys(["127.0.0.1", "localhost", *hosts]))
    chain, key, signer = (folder / name for name in ("certificate.pem", "key.pem", "authority.pem"))
    for nth, pem in enumerate(made.cert_chain_pems):
        pem.write_to_path(str(chain), append=nth > 0)
    made.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(signer))
    return Certificate(str(chain), str(key), str(signer))
