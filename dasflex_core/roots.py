# SPDX-License-Identifier: GPL-3.0-or-later
"""Making roots: the directory of a server with its configuration, its definitions and the examples.

Whoever has none gets one of their own, in the directory that the system keeps for data of programs. That may be asked
for by several processes at once: it is made beside its place and moved there whole, and one process at a time compiles
its definitions.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from dasflex_core.config import CONFIG_FILE, KEYS, Config, read_config
from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ensure_user_root", "install_examples", "make_root", "shipped_examples", "user_root"]

#: Where the examples are in the tree of definitions, which is also how their ids begin.
EXAMPLES: Final = "Examples"
#: What the examples were when they were installed, in their directory.
_SHIPPED: Final = ".shipped"
_DIRECTORIES: Final = ("etc", "definitions", "catalog", "cache", "include", "log", "run", "static", "public")
#: An example of a plugin, which is no source.
_PLUGIN: Final = "plugin_template"
_NOT_COPIED: Final = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "LICENSE-*", _PLUGIN)


def user_root() -> Path:
    """The root of whoever runs this and names no other."""
    from platformdirs import user_data_path

    return user_data_path("dasflex", appauthor=False)


def shipped_examples() -> Path:
    """The examples as dasflex brings them. Raises `ConfigError` where they were left out of the installation."""
    here = Path(__file__).resolve().parent
    for place in (here / "examples", here.parent / "examples"):
        if (place / "_dirinfo_.toml").is_file():
            return place
    raise ConfigError(
        "This installation of dasflex came without its examples; make the root with --no-examples",
        kind="config.missing",
    )


def make_root(directory: Path, name: str, *, examples: bool = True) -> Config:
    """Makes a root for a server called `name`, and gives its configuration.

    The directory may be there already, with other things in it; raises `ConfigError` rather than overwrite anything,
    and where it cannot be written.
    """
    root = directory.absolute()
    files = _files(_checked(name))
    taken = [*files, Path("definitions", EXAMPLES)] if examples else [*files]
    for each in taken:
        if (root / each).exists():
            raise ConfigError(f"{root / each} is there already; a root is not made over another one")
    with _writing(root):
        _write(root, files)
        if examples:
            _copy_examples(root)
    _compile(root)
    return read_config(root / CONFIG_FILE)


def install_examples(config: Config) -> Path | None:
    """Puts the shipped examples in place of those of a root, and compiles its definitions.

    Those that were there are kept in a hidden directory beside them, whose path is the answer; None if there were
    none.
    """
    present = config.definitions / EXAMPLES
    aside: Path | None = None
    with _writing(config.root):
        if present.exists():
            aside = Path(mkdtemp(prefix=f".{EXAMPLES}-", dir=config.definitions)) / EXAMPLES
            present.rename(aside)
        _copy_examples(config.root)
    _compile(config.root)
    return aside


def ensure_user_root() -> Config:
    """The configuration of the per-user root, which is made with the examples where there is none.

    Where dasflex brings other examples now than those that are there, `remarks` says how to take them over.
    """
    root = user_root()
    if not (root / CONFIG_FILE).is_file() or not _is_compiled(root):
        with _writing(root):
            root.parent.mkdir(parents=True, exist_ok=True)
        with _locked(root):
            if not (root / CONFIG_FILE).is_file():
                _move_into_place(root)
            if not _is_compiled(root):
                _compile(root)
    config = read_config(root / CONFIG_FILE)
    return replace(config, remarks=(*config.remarks, *_newer_examples(root)))


# -- how it is done


def _checked(name: str) -> str:
    """A server's name that can be written into a line."""
    words = " ".join(name.split())
    if not words or not words.isprintable():
        raise ConfigError(f'{name!r} is no name for a server; one is like "Test Server"', kind="config.bad-value")
    return words


def _files(name: str) -> dict[Path, str]:
    """The files of a new root below it, and what is in them."""
    return {
        Path(CONFIG_FILE): _configuration(name),
        Path("etc/passwd"): "",
        Path("etc/group"): "",
        Path("etc/mime.json"): "{}\n",
        Path("etc/peers.json"): "[]\n",
    }


def _configuration(name: str) -> str:
    """A new configuration file: who the server is, and every other key with its meaning and its default."""
    identifier = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or KEYS["SERVER_ID"].default
    own = {"SERVER_NAME": name, "SERVER_ID": identifier}
    lines = [
        "# The configuration of a dasflex server: each key with its meaning. A key behind a # has the value that is",
        "# written there. Paths are relative to the directory around this one.",
    ]
    chapter = ""
    for key, about in KEYS.items():
        if about.chapter != chapter:
            chapter = about.chapter
            lines += ["", "", f"# -- {chapter}"]
        lines += ["", f"# {about.title}"]
        lines.append(
            f"{key} = {json.dumps(own[key], ensure_ascii=False)}" if key in own else f"# {key} = {about.shown}"
        )
    return "\n".join(lines) + "\n"


def _write(root: Path, files: dict[Path, str]) -> None:
    """The directories and files of a root."""
    for each in _DIRECTORIES:
        (root / each).mkdir(parents=True, exist_ok=True)
    etc = root / "etc"  # the manifest in it is used only if nobody but the owner may write there, whatever the umask
    etc.chmod(etc.stat().st_mode & 0o755)
    for each, mode in (("definitions", 0o775), ("run", 0o770), ("log", 0o770)):
        (root / each).chmod((root / each).stat().st_mode & mode)  # which programs run, who answers, who read what
    for path, text in files.items():
        with (root / path).open("x", encoding="utf-8") as file:
            file.write(text)
    (root / CONFIG_FILE).chmod((root / CONFIG_FILE).stat().st_mode & 0o664)
    for secret in ("etc/passwd", "etc/group"):
        (root / secret).chmod(0o600)


def _copy_examples(root: Path) -> None:
    """The examples into the definitions of a root, with a note of which they are."""
    source, target = shipped_examples(), root / "definitions" / EXAMPLES
    shutil.copytree(source, target, ignore=_NOT_COPIED)
    (target / _SHIPPED).write_text(_digest(source) + "\n", encoding="ascii")


def _digest(examples: Path) -> str:
    """What the shipped examples of sources are: their paths, sizes, and what their texts say."""
    digest = sha256()
    for path in sorted(examples.rglob("*")):
        if path.suffix in (".toml", ".py", ".md") and _PLUGIN not in path.relative_to(examples).parts:
            digest.update(f"{path.relative_to(examples)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _newer_examples(root: Path) -> tuple[str, ...]:
    """What to do where dasflex brings other examples than those that were installed from it."""
    installed = root / "definitions" / EXAMPLES / _SHIPPED
    if not installed.is_file() or installed.read_text(encoding="ascii").strip() == _digest(shipped_examples()):
        return ()
    remedy = "`dasflex install --examples` puts them in their place"
    return (f"{installed.parent}: dasflex brings newer examples than these; {remedy}",)


def _is_compiled(root: Path) -> bool:
    """Whether the definitions of a root were ever compiled."""
    return (root / "sources" / "index.json").is_file()


def _compile(root: Path) -> None:
    """Compiles and publishes the definitions of a new root. Raises `ConfigError` where they are wrong."""
    from dasflex_core.catalog.findings import raise_for
    from dasflex_core.catalog.publishing import publisher
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.manifest import load_facts

    with _writing(root):
        facts = load_facts(root / CONFIG_FILE)
        words = Vocabulary.of(facts.registry, facts.config.datasrc_inc)
        report = compile_tree(root, words, publisher(facts.config, facts.registry, facts.external))
    raise_for(report.findings)


def _move_into_place(root: Path) -> None:
    """Makes the files of a root beside its place, and moves them there. Raises `ConfigError`."""
    with _writing(root):
        beside = Path(mkdtemp(prefix=".dasflex-", dir=root.parent))
        try:
            beside.chmod(0o755)
            _write(beside, _files("dasflex"))
            _copy_examples(beside)
            beside.rename(root)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turns what the system says while a root is written into a `ConfigError`."""
    try:
        yield
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", "") or str(error)
        raise ConfigError(f"The root {root} cannot be made: {reason}") from error


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Waits until no other process makes this root."""
    import fcntl

    with _writing(root):
        descriptor = os.open(root.parent / f".{root.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
