"""How the certificate of a server that is not ours is checked. Reads the files that its adapter names."""

import ssl

from servers.targets.adapter import AdapterError, Tls


def tls_context(tls: Tls, protocol: str = "http/1.1", *, shows_who: bool = True) -> ssl.SSLContext:
    """protocol: the one that is offered (ALPN). shows_who: the client's certificate, which is for one origin only.

    Raises AdapterError for files that cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
        context.set_alpn_protocols([protocol])
        if tls.cert and shows_who:
            context.load_cert_chain(tls.cert, tls.key or None)
    except OSError as wrong:
        at_fault = f"tls.cert {tls.cert!r}" if tls.cert else f"tls.ca {tls.ca!r}"
        raise AdapterError(f"{at_fault} cannot be used: {wrong.strerror or wrong}; name a file in PEM form") from None
    if tls.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
