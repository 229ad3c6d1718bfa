# SPDX-License-Identifier: GPL-3.0-or-later
"""How the server of the work-lists is reached: `WORK_QUEUE_CONN`, and what is said where it is not there."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import BusyError, ConfigError

if TYPE_CHECKING:
    from redis import Redis

    from dasflex_core.config import Config

__all__ = ["connected", "needs", "place", "queue_name", "url"]

_PLACE: Final = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:/@\s]+)(?::(?P<port>\d{1,5}))?(?::(?P<db>\d{1,4}))?")
_URL: Final = re.compile(r"(rediss?|unix)://")
_SECRET: Final = re.compile(r"//[^@]*@")
#: Seconds for a command, and for the connection.
_SOON: Final = 2.0
#: Tries of a worker, and the most seconds between two: it outlasts a server that is started anew.
_TRIES: Final = 12
_BETWEEN: Final = 2.0


def queue_name(config: Config) -> str:
    """The name of a site's work-list at the server, which others may use as well."""
    return f"dasflex:{config.server_id}"


def place(config: Config) -> str:
    """Where the server is, for people: without a password."""
    return _SECRET.sub("//", config.work_queue_conn)


def needs(*packages: str) -> None:
    """Raises `ConfigError` where a package is not installed, with what installs it."""
    for each in packages:
        try:
            import_module(each)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Background work needs {error.name}, which is not installed: pip install 'dasflex[work]'",
                kind="config.missing-extra",
            ) from error


def url(config: Config) -> str:
    """The address of the server. Raises `ConfigError` where there is none, or what is written is none."""
    if not config.work_queue_broker:
        raise ConfigError(
            "Background work is off: set WORK_QUEUE_BROKER = redis in dasflex.conf, and WORK_QUEUE_CONN to where it is",
            kind="config.missing",
        )
    written = config.work_queue_conn
    if _URL.match(written):
        return written
    found = _PLACE.fullmatch(written)
    if found is None or int(found["port"] or 0) > 65535:
        raise ConfigError(
            f"WORK_QUEUE_CONN: {place(config)!r} is no place of a Redis server; one is written like localhost:6379:0, "
            "redis://:PASSWORD@host:6379/0, rediss://… for TLS, or unix:///run/redis.sock",
            kind="config.bad-value",
        )
    return f"redis://{found['host']}:{found['port'] or 6379}/{found['db'] or 0}"


def connected(config: Config, *, patient: bool = False, timeout: float = _SOON) -> Redis:
    """A connection to the server, which has answered. One that is patient waits for a server that is started anew.

    Raises `BusyError` where nobody answers, and `ConfigError`.
    """
    at = url(config)
    needs("redis")
    from redis import Redis, exceptions
    from redis.backoff import ExponentialBackoff, NoBackoff
    from redis.retry import Retry

    try:
        once = Redis.from_url(at, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0))
        once.ping()
    except exceptions.AuthenticationError as error:
        raise ConfigError(
            f"WORK_QUEUE_CONN: Redis at {place(config)} refuses: {error}", kind="config.bad-value"
        ) from error
    except exceptions.RedisError as error:
        raise BusyError(f"Redis at {place(config)} does not answer: {error}") from error
    except ValueError as error:
        raise ConfigError(f"WORK_QUEUE_CONN: {error}", kind="config.bad-value") from error
    if not patient:
        return once
    once.close()
    backoff = ExponentialBackoff(cap=_BETWEEN, base=0.05)
    return Redis.from_url(at, socket_connect_timeout=timeout, retry=Retry(backoff, _TRIES), health_check_interval=30)
