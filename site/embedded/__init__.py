"""PostgreSQL and Redis for a machine that has none, and the demo that runs on them.

`embedded.start("demo")` gives a running PostgreSQL and a running Redis of our own, or those the environment names. Both
end with the process that started them. Nothing here knows Django: whatever runs on top reads the environment
(`DATABASE_URL`, `REDIS_URL` and the rest of `Services.environment()`).
"""

from typing import TYPE_CHECKING, Any

from embedded.errors import EmbeddedError

if TYPE_CHECKING:
    from embedded.services import Services, start

__all__ = ["EmbeddedError", "Services", "start"]


def __getattr__(name: str) -> Any:
    """Fetch the services only when asked: `install` imports this package before psycopg2 and redis are there."""
    if name in ("Services", "start"):
        from embedded import services

        return getattr(services, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
