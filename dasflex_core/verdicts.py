# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin says of a stream that it verified, for whoever runs streams of any format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StreamVerifier", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that is to be said of a stream: where and what, and whether it cannot be read or only is unusual."""

    message: str
    wrong: bool = True


@runtime_checkable
class StreamVerifier(Protocol):
    """Bytes of a stream in, verdicts out. What `StreamTypeInfo.verify` names makes one."""

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk; chunks may be split anywhere."""

    def verdicts(self, *, whole: bool) -> Iterator[Verdict]:
        """What is to be said, once; a stream that is not `whole` was cut off by whoever fed it."""
