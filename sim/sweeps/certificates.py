"""The certificates with which a Dask cluster is reached over an encrypted connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from spinflow.sim.sweeps.jobs import SweepError

_SECURITY = ("tls_ca_file", "tls_client_cert", "tls_client_key")
"""What Dask calls the certificates of a client."""


def first_line(error: BaseException) -> str:
    """Return what an error says, in so few words that they fit into a line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    words = said.partition("\n")[0].strip()
    return (words if len(words) < 120 else f"{words[:117]}...") or type(error).__name__


def security_of(
    address: str, ca_file: Path | None, certificate: Path | None, key: Path | None
) -> Any:
    """Return the certificates that a scheduler is reached with, None if it takes none.

    What is not given is taken from Dask's configuration.

    Args:
        address: of the scheduler; one that begins with ``tls://`` needs certificates.
        ca_file: certificate of the authority that signed the cluster's.
        certificate: of this machine.
        key: of this machine's certificate.

    Raises:
        SweepError: they are incomplete or no certificates, or the scheduler takes none.
    """
    from distributed import Security

    make: Any = Security  # its constructor is not typed

    given = {"--tls-ca-file": ca_file, "--tls-cert": certificate, "--tls-key": key}
    if not address.startswith("tls://"):
        for option, value in given.items():
            if value is not None:
                raise SweepError(f"{option} {value}: it goes with --scheduler tls://…")
        return None
    words = {
        name: str(value)
        for name, value in zip(_SECURITY, given.values(), strict=True)
        if value is not None
    }
    security: Any = make(require_encryption=True, **words)
    files = {option: getattr(security, name) for name, option in zip(_SECURITY, given, strict=True)}
    for option, value in files.items():
        if value is None:
            raise SweepError(
                f"{address} needs {', '.join(given)} (or Dask's configuration): {option} is missing"
            )
        try:
            with open(value, "rb"):
                pass
        except OSError as error:
            raise SweepError(f"{option} {value}: {error.strerror}") from None
    ca_name, certificate_name, key_name = files.values()
    try:
        context = ssl.create_default_context(cafile=ca_name)
    except ssl.SSLError as error:
        raise SweepError(f"--tls-ca-file {ca_name}: no certificate in PEM ({error})") from None
    try:
        # A key with a password would be asked for on the terminal, for every connection.
        context.load_cert_chain(certificate_name, key_name, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise SweepError(
            f"--tls-cert {certificate_name}, --tls-key {key_name}: no certificate and its key in "
            f"PEM without a password ({first_line(error)})"
        ) from None
    return security
