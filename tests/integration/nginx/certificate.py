"""Certificates for tests of TLS."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: its certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificate(host: str) -> tuple[bytes, bytes]:
    """Return a certificate for a host that has signed itself, and its key, as PEM."""
    own = sign(host)
    return as_pem(own.certificate), key_as_pem(own)


def sign(host: str, *, by: Signer | None = None) -> Signer:
    """Return a certificate for a host; without a signer it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return Signer(builder.sign(by.key if by else key, hashes.SHA256()), key)


def as_pem(*chain: x509.Certificate) -> bytes:
    """Return certificates one after the other."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def key_as_pem(signer: Signer) -> bytes:
    """Return the key of a certificate."""
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return signer.key.private_bytes(serialization.Encoding.PEM, form, plain)
