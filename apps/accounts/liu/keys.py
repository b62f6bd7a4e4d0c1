"""The certificates with which LiU's ADFS signs, as it publishes them. They are replaced now and then."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from functools import cache
from http import HTTPStatus

from allauth.socialaccount.adapter import get_adapter

from apps.accounts.signed_tokens import Keys, PublicKeys, keys_of_certificates, keys_of_set

KEY_SET = "/adfs/discovery/keys"  # since ADFS 2016
METADATA = "/FederationMetadata/2007-06/FederationMetadata.xml"  # every ADFS
METADATA_NAMES = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}


@cache
def keys_at(url: str) -> Keys:
    """The keys of the ADFS at `url`."""
    return Keys(lambda: read(url))


def read(url: str) -> PublicKeys:
    """Ask for the keys now. Raises RequestException, or ValueError when the answer makes no sense."""
    with get_adapter().get_requests_session() as session:
        answer = session.get(url + KEY_SET)
        if answer.status_code != HTTPStatus.NOT_FOUND:
            answer.raise_for_status()
            return keys_of_set(answer.json())
        answer = session.get(url + METADATA)
        answer.raise_for_status()
    return keys_of_certificates(signing_certificates(answer.content))


def signing_certificates(document: bytes) -> list[str]:
    """The certificates in a federation metadata document, each once. Raises ValueError."""
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise ValueError("The metadata declares entities")
    try:
        tree = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise ValueError("The metadata is no XML") from error
    path = ".//md:KeyDescriptor[@use='signing']//ds:X509Certificate"
    found = list(dict.fromkeys(node.text or "" for node in tree.iterfind(path, METADATA_NAMES)))
    if not found:
        raise ValueError("The metadata names no certificate")
    return found
