# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application that a plugin mounts gets from the front-end it is mounted in: who asks, and data as answers.

A protocol of its own needs the same things as ours: a run that waits for its turn, that is recorded and logged, that
ends when the client leaves. So its application does not run plans; it asks the front-end, which stands in the environ
of each request (PEP 3333) by the name `FRONT_END`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.claims import Claim
    from dasflex_core.site import Request

__all__ = ["FRONT_END", "Delivered", "DeliveredBody", "FrontEnd"]

#: The key of the environ under which a mounted application finds the front-end.
FRONT_END: Final = "dasflex.front_end"


class DeliveredBody(Protocol):
    """Bytes that come in pieces, to be returned as they are; `close` ends the run, whether they were taken or not."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Ends the run."""
        ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """Data as an answer: what is given to `start_response`, and the body to return.

    `status` is 200, or 304 where the client has these data already. `headers` are all that is said of the data.
    `empty` tells that the run has ended without one byte; it is false where nothing was run, as for HEAD.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: DeliveredBody
    empty: bool = False


class FrontEnd(Protocol):
    """A front-end, for one request.

    `claim` is who asks, not checked yet. `base` is the path of the server without the mount (`/das/server`, or blank)
    and `origin` the `http://host` as the client wrote it, blank where it is none.
    """

    @property
    def claim(self) -> Claim:
        """Who asks, not checked yet."""
        ...

    @property
    def base(self) -> str:
        """The path of the server, without the mount and without a slash at its end."""
        ...

    @property
    def origin(self) -> str:
        """The scheme and the host as the client wrote them."""
        ...

    def deliver(
        self, request: Request, *, media_type: str = "", head: bytes = b"", tail: bytes = b"", alone: bytes = b""
    ) -> Delivered:
        """The data of a request, with `head` and `tail` around them, in the coding that the client accepts.

        Where there are none, `alone` is sent in the place of both, if it is not blank.

        It waits for the first data. `media_type` stands in for that of their type. Raises `DasflexError` for what fails
        before the data, which the administrator has then been told; what fails later raises from the body, so that the
        connection is broken, and no tail is sent.
        """
        ...
