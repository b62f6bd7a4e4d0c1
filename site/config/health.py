"""Two addresses for whoever keeps the processes running.

`/livez`: this process answers. `/readyz`: it can serve, which needs PostgreSQL; without Redis it serves too, only
slower, so that is told and no reason to take the site away.
"""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served ("degraded" without Redis), 503 without the database."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "away"}, status=503)
    if not redis_answers():
        return JsonResponse({"status": "degraded", "redis": "away"})
    return JsonResponse({"status": "ok"})


def redis_answers() -> bool:
    """Whether Redis answers within half a second."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
