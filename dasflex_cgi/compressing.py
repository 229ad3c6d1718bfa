# SPDX-License-Identifier: GPL-3.0-or-later
"""Content codings: gzip and zstd, only for clients that ask for them, and only for text.

What has been taken from a body is sent at once: each piece ends a block, so that a slow reader's data are never held
back in a compressor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from dasflex_cgi.exchange import Wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dasflex_cgi.exchange import Body

__all__ = ["Coded", "coder", "coding", "compressible", "encoded", "weight"]

#: Our codings; of two that a client likes equally, the first.
_CODINGS: Final = ("zstd", "gzip")
#: Levels that are faster than the network.
_GZIP_LEVEL: Final = 1
_ZSTD_LEVEL: Final = 3
#: A whole answer shorter than this is not worth it.
_SHORTEST: Final = 1_000
_TYPES: Final = ("application/json", "application/xml", "image/svg+xml")


class Coder(Protocol):
    """Compresses a stream of pieces."""

    def piece(self, data: bytes) -> bytes:
        """The piece compressed, with all that is needed to read it."""
        ...

    def end(self) -> bytes:
        """What ends the stream."""
        ...


class _Gzip:
    """The gzip format (RFC 1952), by ISA-L where there is a build of it: it is three times as fast as zlib's quickest.

    Both know the same words, of which 31 asks for the gzip format with its largest window (zlib manual, deflateInit2).
    """

    def __init__(self) -> None:
        try:
            from isal import isal_zlib as library
        except ImportError:  # a processor for which there is none
            import zlib as library  # type: ignore[no-redef]

        self._made = library.compressobj(_GZIP_LEVEL, library.DEFLATED, 31)
        self._flush = library.Z_SYNC_FLUSH

    def piece(self, data: bytes) -> bytes:
        return self._made.compress(data) + self._made.flush(self._flush)

    def end(self) -> bytes:
        return self._made.flush()


class _Zstd:
    """The zstd format (RFC 8878), in windows that every client must be able to hold."""

    def __init__(self) -> None:
        import zstandard

        self._made = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
        self._flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def piece(self, data: bytes) -> bytes:
        return self._made.compress(data) + self._made.flush(self._flush)

    def end(self) -> bytes:
        return self._made.flush()


_MAKERS: Final[Mapping[str, Callable[[], Coder]]] = {"zstd": _Zstd, "gzip": _Gzip}


def coder(name: str) -> Coder:
    """A new compressor of a coding."""
    return _MAKERS[name]()


def coding(accepted: str) -> str:
    """The coding to use for an `Accept-Encoding`; blank for none, as for clients that do not send the header.

    >>> coding("gzip, deflate, br, zstd"), coding("gzip;q=1.0, zstd;q=0.5"), coding("identity"), coding("gzip;q=0")
    ('zstd', 'gzip', '', '')
    """
    weights: dict[str, float] = {}
    for each in accepted.lower().split(","):
        name, _, rest = each.partition(";")
        weights[name.strip()] = weight(rest)
    default = weights.get("*", 0.0)
    best = max(_CODINGS, key=lambda name: weights.get(name, default))
    liked = weights.get(best, default)
    return best if liked > 0 and liked >= weights.get("identity", 0.0) else ""


def weight(parameters: str) -> float:
    """The weight `q` among the parameters of what a client accepts: 1 without one, 0 for one that is no number."""
    for each in parameters.split(";"):
        name, found, value = each.partition("=")
        if found and name.strip() == "q":
            try:
                found_weight = float(value)
            except ValueError:
                return 0.0
            return found_weight if 0 <= found_weight <= 1 else 0.0
    return 1.0


def compressible(media_type: str) -> bool:
    """Whether a media type is text, so that compressing is worth it.

    >>> compressible("text/csv; charset=utf-8"), compressible("application/vnd.das2.das2stream")
    (True, False)
    """
    plain = media_type.partition(";")[0].strip().lower()
    return plain.startswith("text/") or plain in _TYPES or plain.endswith("+json")


def encoded(data: bytes, name: str) -> bytes:
    """A whole answer in a coding; the same bytes where that would not pay: compare the lengths."""
    if not name or len(data) < _SHORTEST:
        return data
    made = coder(name)
    smaller = made.piece(data) + made.end()
    return smaller if len(smaller) < len(data) else data


class Coded(Wrapped):
    """A body in a coding. If the body breaks, so does this one, and its end is not written."""

    def __init__(self, body: Body, name: str) -> None:
        super().__init__(body)
        self._coder = coder(name)
        self._ended = False

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._ended = True
            return self._coder.end()
        return self._coder.piece(piece)
