"""A Redis cache that forgives: while Redis is away every read is a miss and every write is dropped.

After a failure the cache rests for two seconds before it tries again, so that a dead Redis costs one short time-out
now and then instead of one per request.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.utils.functional import cached_property
from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
REST_SECONDS = 2.0


# One round trip, and one command for the client to write and read.
COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}
"""


class OneClient(RedisCacheClient):
    """Django's, with a client that is made once for each server, not for each question; its pool serves all threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[int, Redis] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        """The client of the server that is written to, or of one that is read from."""
        server = self._get_connection_pool_index(write)  # type: ignore[attr-defined]
        if server not in self._clients:
            pool = self._get_connection_pool(write)  # type: ignore[attr-defined]
            self._clients[server] = Redis(connection_pool=pool)
        return self._clients[server]


class CountingRedisCache(RedisCache):
    """Django's Redis cache, and a counter that begins anew by itself."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = OneClient

    @cached_property
    def _count(self) -> Script:
        return self._cache.get_client(write=True).register_script(COUNT)  # type: ignore[attr-defined]

    def _tally(self, key: str, seconds: int) -> tuple[int, int]:
        count, left = self._count(keys=[self.make_and_validate_key(key)], args=[seconds])
        return int(count), max(int(left), 0)


class ForgivingRedisCache(CountingRedisCache):
    """Django's Redis cache behind a breaker. Nothing that must be true may live here."""

    _rests_until = 0.0

    def _try(self, method: str, otherwise: Any, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() < ForgivingRedisCache._rests_until:
            return otherwise
        try:
            return getattr(CountingRedisCache, method)(self, *args, **kwargs)
        except (RedisError, OSError) as error:
            ForgivingRedisCache._rests_until = time.monotonic() + REST_SECONDS
            log.warning("cache unavailable, resting %s s: %s", REST_SECONDS, type(error).__name__)
            return otherwise

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._try("get", default, key, default, version)

    def get_many(self, keys: Any, version: int | None = None) -> Any:
        return self._try("get_many", {}, keys, version)

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self._try("add", True, key, value, *args, **kwargs)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self._try("set", None, key, value, *args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return self._try("set_many", list(data), data, *args, **kwargs)

    def touch(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        return self._try("touch", False, key, *args, **kwargs)

    def delete(self, key: Any, version: int | None = None) -> Any:
        return self._try("delete", False, key, version)

    def delete_many(self, keys: Any, version: int | None = None) -> Any:
        return self._try("delete_many", None, keys, version)

    def has_key(self, key: Any, version: int | None = None) -> Any:
        return self._try("has_key", False, key, version)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> Any:
        return self._try("incr", delta, key, delta, version)

    def tally(self, key: str, seconds: int) -> tuple[int, int]:
        """Count one more of `key` within `seconds` from the first one: (how many, seconds left). One round trip.

        (0, 0) while Redis is away.
        """
        return self._try("_tally", (0, 0), key, seconds)

    def clear(self) -> Any:
        return self._try("clear", False)
