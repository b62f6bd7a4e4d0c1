"""How passwords are hashed: Argon2id, as OWASP's cheat sheet on password storage has it.

Its cost lies in memory, which is what a thief with graphics cards is short of. Django's own figures for Argon2 (100 MB,
eight threads) would take the memory of a small machine when a campus signs in at once.
"""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """19 MiB, two passes, one thread: some 20 ms of a core. Older hashes are replaced at their owner's next sign-in."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
