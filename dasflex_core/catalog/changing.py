# SPDX-License-Identifier: GPL-3.0-or-later
"""How an install changes files: each at once for whoever reads it, no more than need be, and so that it can be undone.

What an install replaces or removes is kept below `sources/.undo` until the next one that changes something, with a list
of what it made. A file that already holds what it should is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Changes", "locked", "undo"]

_ASIDE: Final = "sources/.undo"
_JOURNAL: Final = "journal"


class Changes:
    """The changes of one install below a root.

    With `dry` nothing is changed, but what would be is known; without `keep` what is replaced is lost.

    `made`, `replaced` and `removed` are paths below the root.
    """

    def __init__(self, root: Path, *, dry: bool = False, keep: bool = True) -> None:
        self.root = root
        self._keeps = keep
        self.dry = dry
        self.made: list[str] = []
        self.replaced: list[str] = []
        self.removed: list[str] = []
        self._folders: set[str] = set()
        self._aside = root / f"{_ASIDE}.{os.getpid()}"

    def write(self, path: Path, data: bytes, mode: int | None = None) -> None:
        """Makes a file hold these bytes; with a `mode`, for whom it says, whatever the process would give.

        Raises `OSError` where it cannot be written.
        """
        name = str(path)
        try:
            with open(name, "rb") as file:  # noqa: PTH123  tens of thousands of files: Path costs more than the call
                present: bytes | None = file.read()
        except FileNotFoundError:
            present = None
        if present == data:
            return
        if not self.dry:
            self._folder(path.parent, shown=mode is not None)
            if present is not None:
                self._keep(path)
            _replace(name, data, mode)
        (self.made if present is None else self.replaced).append(self._relative(path))

    def remove(self, path: Path) -> None:
        """Removes a file, where it is there, and the directories that are empty then."""
        if not path.is_file():
            return
        if not self.dry:
            self._keep(path)
            path.unlink()
            _remove_empty(path.parent, self.root)
        self.removed.append(self._relative(path))

    def __bool__(self) -> bool:
        return bool(self.made or self.replaced or self.removed)

    def settle(self, minor: str = "") -> None:
        """Keeps what was replaced for `undo`, in place of what an install before did.

        A change of the file `minor` alone is none that anybody would undo: what was kept before stays.
        """
        if self.dry or not self._keeps:
            return
        if {*self.made, *self.replaced, *self.removed} <= {minor}:
            shutil.rmtree(self._aside, ignore_errors=True)
            return
        self._folder(self._aside, shown=False)
        journal = {"made": self.made, "kept": [*self.replaced, *self.removed]}
        (self._aside / _JOURNAL).write_text(json.dumps(journal), encoding="utf-8")
        last = self.root / _ASIDE
        shutil.rmtree(last, ignore_errors=True)
        self._aside.rename(last)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.root)

    def _keep(self, path: Path) -> None:
        """Keeps what a file holds: by a second name for it, or by a copy where there can be none."""
        if not self._keeps:
            return
        beside = self._aside / "files" / self._relative(path)
        self._folder(beside.parent, shown=False)
        try:
            beside.hardlink_to(path)
        except FileExistsError:  # replaced twice: what it was before counts
            return
        except OSError:
            shutil.copy2(path, beside)

    def _folder(self, folder: Path, *, shown: bool) -> None:
        """Makes a directory, and those above it; one that is shown for everybody."""
        if str(folder) in self._folders:
            return
        if not folder.is_dir():
            self._folder(folder.parent, shown=shown)
            folder.mkdir(exist_ok=True)
            if shown:
                folder.chmod(0o755)
        self._folders.add(str(folder))


def undo(root: Path) -> tuple[str, ...]:
    """Puts back what the last install replaced and removed, and removes what it made; gives the paths of all.

    Raises `ConfigError` where there is nothing to be put back.
    """
    with locked(root):
        return _put_back(root, root / _ASIDE)


def _put_back(root: Path, aside: Path) -> tuple[str, ...]:
    """What `undo` does."""
    try:
        journal = json.loads((aside / _JOURNAL).read_text(encoding="utf-8"))
        made, kept = list(map(str, journal["made"])), list(map(str, journal["kept"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{root}: there is no install to be undone", kind="config.missing") from error
    for name in kept:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (aside / "files" / name).replace(root / name)
    for name in made:
        (root / name).unlink(missing_ok=True)
        _remove_empty((root / name).parent, root)
    shutil.rmtree(aside)
    return (*kept, *made)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Waits until no other process installs below this root."""
    import fcntl

    folder = root / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(name: str, data: bytes, mode: int | None) -> None:
    """Makes the file hold these bytes, at once."""
    folder, _, last = name.rpartition("/")
    new = f"{folder}/.{last}.{os.getpid()}"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        os.replace(new, name)  # noqa: PTH105  as above
    except OSError:
        with suppress(OSError):
            os.unlink(new)  # noqa: PTH108  as above
        raise


def _remove_empty(folder: Path, root: Path) -> None:
    """Removes a directory, and those above it, as far as nothing is in them; the trees of a root stay."""
    while folder.parent not in (root, folder):
        try:
            folder.rmdir()
        except OSError:  # something else is in it
            return
        folder = folder.parent
