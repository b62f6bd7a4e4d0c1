"""Keys with certificates that are replaced on command, and tokens signed with them."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def _short(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKey:
    """An RSA key and a certificate that it signed itself. Its id is the certificate's thumbprint, as at ADFS."""

    def __init__(self, number: int) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ADFS Signing - stand-in {number}")])
        now = datetime.now(UTC)
        self.der = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(number)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .sign(self.private, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )
        self.id = _short(hashlib.sha1(self.der).digest())

    @property
    def certificate(self) -> str:
        return base64.b64encode(self.der).decode()

    @property
    def entry(self) -> dict[str, Any]:
        """As a JSON Web Key Set lists it."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        shown = {"kid": self.id, "x5t": self.id, "x5c": [self.certificate], "use": "sig", "alg": "RS256"}
        return {"kty": "RSA", "n": public["n"], "e": public["e"], **shown}

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.private, algorithm="RS256", headers={"kid": self.id, "x5t": self.id})
