# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers by which browsers are told what may be done with an answer, and by whom.

Everybody may read an answer by a script of any page (`Access-Control-Allow-Origin: *`). That is safe for protected
answers too: with `*` a browser sends neither cookies nor passwords that it knows of its own, so that a page gets what
anybody gets who has the page's own knowledge, and nothing that the visitor may see. Nor does the address of the visitor
open anything to it (`Claim.foreign`). A CGI program imports this for one request, so that it imports nothing (tier T0).
"""

from __future__ import annotations

TYPE_CHECKING = False  # the module of that name takes longer to import than a file takes to be sent
if TYPE_CHECKING:
    from typing import Final

__all__ = ["JOB_METHODS", "METHODS", "OF_ALL", "OF_PAGES", "VERIFIER_METHODS", "preflight"]

METHODS: Final = "GET, HEAD, OPTIONS"
JOB_METHODS: Final = "DELETE, GET, HEAD, OPTIONS"
VERIFIER_METHODS: Final = "GET, HEAD, OPTIONS, POST"
#: What scripts of other sites may read of our headers, beside the few that they always may.
_EXPOSED: Final = (
    "ETag, Accept-Ranges, Content-Range, Content-Disposition, Link, Location, Preference-Applied, Retry-After, "
    "Server-Timing, X-Request-Id"
)
#: What they may send, beside what they always may.
_TAKEN: Final = "Authorization, Range, If-Range, If-None-Match, If-Modified-Since, Prefer"
OF_ALL: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", _EXPOSED),
)
#: Beside the Content-Security-Policy. The address of a page says which data somebody looks at: that stays here.
OF_PAGES: Final = (("Referrer-Policy", "same-origin"), ("X-Frame-Options", "SAMEORIGIN"))


def preflight(methods: str) -> tuple[tuple[str, str], ...]:
    """What is said of a path to OPTIONS: what may be asked, and by pages of other sites, too."""
    return (
        ("Allow", methods),
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Headers", _TAKEN),
        ("Access-Control-Max-Age", "86400"),
    )
