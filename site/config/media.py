"""Organisers' pictures in a house without a proxy: demo and tests. In production the proxy sends them."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.static import serve

FOLDERS = ("images", "original_images")  # not documents: Wagtail's view asks who may read one


def picture(request: HttpRequest, folder: str, path: str) -> HttpResponseBase:
    """Send a picture out of one of FOLDERS. Raises Http404."""
    return serve(request, path, document_root=str(Path(settings.MEDIA_ROOT) / folder))
