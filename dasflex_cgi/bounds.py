# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a request may be, whichever way it comes: what is larger is refused before anything looks at it.

The figures are those of Apache where it has any, so that what passes there passes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LONGEST_HEAD", "LONGEST_TARGET", "MOST_HEADERS", "megabytes", "too_large"]

#: Bytes of path and query (Apache's LimitRequestLine), and of the whole head; header fields (LimitRequestFields).
LONGEST_TARGET: Final = 8_190
LONGEST_HEAD: Final = 1 << 14
MOST_HEADERS: Final = 100
#: What a header takes beside its name and its value.
_AROUND: Final = 4


def too_large(target: int, headers: Mapping[str, str], most: int) -> tuple[int, str] | None:
    """The status and the text for a request that is larger than anybody needs; None for any other.

    `target` are the bytes of path and query, `headers` have names in lower case, `most` are the bytes of a body.
    """
    if target > LONGEST_TARGET:
        return 414, f"The address of a request has at most {LONGEST_TARGET:,} bytes here"
    if len(headers) > MOST_HEADERS:
        return 431, f"A request has at most {MOST_HEADERS} headers here"
    if target + sum(len(name) + len(value) + _AROUND for name, value in headers.items()) > LONGEST_HEAD:
        return 431, f"The head of a request has at most {LONGEST_HEAD:,} bytes here"
    length = headers.get("content-length", "").strip() or "0"
    if not (length.isascii() and length.isdigit()):
        return 400, "The header Content-Length is a number of bytes"
    if len(length) > len(str(most)) + 1 or int(length) > most:
        return 413, f"The body of a request has at most {most:,} bytes here"
    return None


def megabytes(amount: float) -> int:
    """An amount of the configuration in bytes."""
    return int(amount * 1e6)
