"""What a first visit loads, as a browser finds it: the page, its styles, scripts and their modules, the ticket form,
and the fonts whose letters the page uses. Pictures are left out."""

from __future__ import annotations

import gzip
import re
import urllib.request
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

LINK = re.compile(r"<(?:link|script)\b[^>]*>")
ADDRESS = re.compile(r'(?:href|src)="([^"]+)"')
IMPORT = re.compile(r'(?:\bfrom|\bimport)\s*\(?"(\./[^"]+)"')
FACE = re.compile(r"@font-face\s*\{(.*?)\}", re.S)
SOURCE = re.compile(r'url\(["\']?([^"\')]+)')
LATIN = "U+00A0-00FF"  # English and Swedish need no more than these and ASCII


@dataclass
class Weight:
    """Bytes on the way: text packed by gzip, fonts as they are."""

    text: int = 0
    fonts: int = 0


def of(page: str, fragment: str) -> Weight:
    """The first visit of a page whose ticket form comes from `fragment`."""
    weight = Weight()
    seen: set[str] = set()
    waiting = [page, fragment]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        body = _load(address, is_fragment=address == fragment)
        weight.text += len(gzip.compress(body, 6))
        text = body.decode()
        if address.endswith(".css"):
            for face in FACE.findall(text):
                weight.fonts += _font(address, face, seen)
        elif address.endswith(".js"):
            waiting += [urljoin(address, name) for name in IMPORT.findall(text)]
        else:
            waiting += [urljoin(page, name) for name in _linked(text)]
    return weight


def _linked(page: str) -> list[str]:
    """Addresses of the styles and scripts of a page."""
    found = []
    for element in LINK.findall(page):
        address = ADDRESS.search(element)
        if address and ('rel="stylesheet"' in element or element.startswith("<script")):
            found.append(address[1])
    return found


def _font(stylesheet: str, face: str, seen: set[str]) -> int:
    source = SOURCE.search(face)
    if source is None or ("unicode-range" in face and LATIN not in face.upper()):
        return 0
    address = urljoin(stylesheet, source[1])
    if address in seen:
        return 0
    seen.add(address)
    return len(_load(address))


def _load(address: str, *, is_fragment: bool = False) -> bytes:
    headers = {"HX-Request": "true"} if is_fragment else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert urlsplit(address).scheme == "http", address
    with opener.open(urllib.request.Request(address, headers=headers), timeout=30) as answer:
        return answer.read()
