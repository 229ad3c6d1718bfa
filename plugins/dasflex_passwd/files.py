# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of lines that several programs change: under a lock, replaced whole, and for their owner only."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["changed", "lines_of", "private"]

_MODE: Final = 0o600


def lines_of(file: Path) -> list[str]:
    """The lines of a file; none where there is none. Raises `ConfigError`."""
    try:
        return file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", kind="config.unreadable") from error


def changed(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Replaces the lines of a file by what becomes of them, whole or not at all; others wait meanwhile.

    The file keeps its owner and its mode, without the rights of anybody but owner and group; a new one is 0600. Raises
    `ConfigError` where it cannot be written.
    """
    try:
        with _locked(file):
            replaced = "".join(f"{line}\n" for line in change(lines_of(file)))
            _replace(file, replaced)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", kind="config.unreadable") from error


def private(file: Path, text: str, like: os.stat_result | None = None) -> None:
    """Writes a file that its owner only may read, or who may read another, whole from its first moment on.

    Raises `OSError`.
    """
    new = file.with_name(f".{file.name}.{secrets.token_hex(6)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            if like is not None:
                _open_like(descriptor, like)
            out.write(text)
            out.flush()
            os.fsync(descriptor)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _open_like(descriptor: int, like: os.stat_result) -> None:
    """Gives an open file the owner and the mode of another, as far as it may, without the rights of others.

    The group keeps its rights only where it is the same one. Raises `OSError`.
    """
    if os.geteuid() == 0:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    else:
        with suppress(PermissionError):
            os.fchown(descriptor, -1, like.st_gid)
    same = os.fstat(descriptor).st_gid == like.st_gid
    os.fchmod(descriptor, like.st_mode & (0o660 if same else _MODE))


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """The right to change a file, by a lock beside it: the file itself is replaced. Raises `OSError`."""
    descriptor = os.open(
        file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    """Replaces a file, and gives the new one the owner and mode of the old. Raises `OSError`."""
    target = file.resolve()
    try:
        like = target.stat()
    except FileNotFoundError:
        like = None
    private(target, text, like)
