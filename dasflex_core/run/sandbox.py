# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that runs a reader program in a sandbox: by bubblewrap, or in a scope of systemd.

Bubblewrap (bwrap(1)) shows a program the whole file system, but it can write to its temporary files and to what the
configuration names, and nowhere else; it sees no processes but its own, no network unless it may, and not what only the
server may read. When it ends, or is ended, nothing that it started is left, whatever that did to hide.
A scope of systemd (systemd-run(1)) limits its memory and its processes by the kernel's own account.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.config import Config
    from dasflex_core.plan.graph import Limits

__all__ = ["Sandbox", "enclosed", "sandbox_of"]

_PACKAGE: Final = {"bwrap": "bubblewrap", "systemd-run": "systemd"}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How programs are enclosed.

    `program` is `bwrap` or `systemd-run`. With `network` they may use it. They may write to the files and directories
    in `writable`, devices among them, and do not see what is in `hidden`: these two only with bubblewrap.
    """

    program: str
    network: bool = False
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


def sandbox_of(config: Config) -> Sandbox | None:
    """The sandbox that a configuration wants; None for none.

    Where temporary files have a directory of their own, those of other requests are hidden.
    """
    if not config.reader_sandbox:
        return None
    secrets = (str(config.user_passwd), f"{config.user_passwd}.tokens", str(config.runtime))
    return Sandbox(
        config.reader_sandbox,
        config.reader_sandbox_network,
        tuple(str(each) for each in config.reader_sandbox_write),
        (*secrets, *((str(config.scratch_path),) if config.scratch_path else ())),
    )


def enclosed(argv: Sequence[str], box: Sandbox, limits: Limits, *, directory: str, scratch: str) -> tuple[str, ...]:
    """The command that runs a command in a sandbox, with `scratch` for its temporary files.

    Raises `ConfigError` where the program that makes the sandbox is not installed: nothing runs outside of it then.
    """
    program = next(filter(_is_program, (os.path.join(each, box.program) for each in os.get_exec_path())), "")  # noqa: PTH118  pathlib is slow to import
    if not program:
        package = _PACKAGE.get(box.program, box.program)
        text = f"READER_SANDBOX is {box.program}, which is not installed here: apt-get install {package}"
        raise ConfigError(text, kind="config.bad-value")
    made = _bubble(box, directory, scratch) if box.program == "bwrap" else _scope(box, limits)
    return (program, *made, "--", *argv)


def _bubble(box: Sandbox, directory: str, scratch: str) -> Iterator[str]:
    """The arguments of bubblewrap. What comes later lies over what came before."""
    yield from ("--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if not box.network:
        yield "--unshare-net"
    yield from ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
    for each in box.hidden:
        if os.path.isdir(each):  # noqa: PTH112  as above
            yield from ("--tmpfs", each)
        elif os.path.exists(each):  # noqa: PTH110  as above
            yield from ("--ro-bind", "/dev/null", each)
    for each in (*box.writable, scratch):
        if each:
            yield from ("--dev-bind-try", each, each)
    yield from ("--chdir", directory or os.getcwd())  # noqa: PTH109  as above


def _scope(box: Sandbox, limits: Limits) -> Iterator[str]:
    """The arguments of systemd-run, which becomes the program itself. Who is not root asks a manager of their own."""
    yield from ("--scope", "--quiet", "--collect", *(("--user",) if os.geteuid() else ()))
    if limits.memory:
        yield from (f"--property=MemoryMax={limits.memory}", "--property=MemorySwapMax=0")
    if limits.processes:
        yield f"--property=TasksMax={limits.processes}"
    if not box.network:
        yield "--property=IPAddressDeny=any"


def _is_program(path: str) -> bool:
    """Whether a file can be executed."""
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113  as above
