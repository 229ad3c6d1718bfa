# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before the planning of a request: who asks is found out, and the rules of the source are applied.

A view is as protected as what it shows: the rules of each source in the chain must grant the request.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from dasflex_core.access import NOBODY, Wish, decide, rules_of
from dasflex_core.errors import AccessError, ConfigError, NotFoundError
from dasflex_core.plan.binding import view_chain
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dasflex_core.access import Identity
    from dasflex_core.catalog.model import Definition
    from dasflex_core.claims import Claim
    from dasflex_core.config_values import Network
    from dasflex_core.plan.solution import Solution
    from dasflex_core.site import Site, Source
    from dasflex_core.times import Time

__all__ = ["Guard", "Leave", "comes_from", "is_trusted", "protected"]

_WIDTH = "bin.time.max"
_END = "read.time.max"


@dataclass(frozen=True, slots=True)
class Leave:
    """The leave to plan a request, for somebody whose name is `user` (blank: nobody has logged in).

    `changes` are parameters that stand in the place of what was asked; `width` is the narrowest bin of time, in
    seconds, that the plan must make (None: any plan will do), and `aged` says that it must keep the end of the range;
    `note` tells the client of a change.
    """

    user: str = ""
    changes: Mapping[str, str] = field(default_factory=dict)
    width: float | None = None
    note: str = ""
    aged: bool = False

    def check(self, solution: Solution, refusal: AccessError) -> None:
        """Raises the refusal where a plan does not make the bins, or keep the range, for which leave was given.

        A lenient convention drops what no stage consumes: then that leave was for something else.
        """
        made = {name for step in solution.path.steps for name in step.consumes}
        width = _seconds(dict(solution.request).get(_WIDTH, ""))
        if self.width is not None and not (_WIDTH in made and width and width >= self.width):
            raise refusal
        if self.aged and _END not in made:
            raise refusal


@dataclass(frozen=True)
class Guard:
    """Whoever asks a source for something."""

    source: Source
    claim: Claim

    def admit(self, request: Mapping[str, str], now: Time) -> Leave:
        """The leave to plan a request of canonical names over the definition's defaults.

        Raises `AccessError`: `access.log-in` where nobody has logged in, or with something that is wrong, and
        `access.denied` for a user who may not; and what an authenticator raises.
        """
        site = self.source.site
        closed = self._closed
        if not closed or is_trusted(self.claim, site):
            return Leave()
        who = self.identity()
        wish = Wish(_end(request.get(_END, ""), now), _seconds(request.get(_WIDTH, "")))
        aged = False
        widths: list[float] = []
        wanted: list[float] = []
        for each in closed:
            made = decide(rules_of(each.access.allow), who, wish, now, self.source.id)
            if not made.granted and made.instead is None:
                raise self.refusal(who)
            aged = aged or made.aged
            widths += [made.width or made.instead or 0.0] if made.width or made.instead else []
            wanted += [made.instead] if made.instead else []
        width = max(widths, default=None)
        if not wanted or width is None:
            return Leave(who.user, width=width, aged=aged)
        note = f"These are averages of {width:g} s, which everybody may read; {self._more(who)}"
        return Leave(who.user, {_WIDTH: f"{width:.17g}"}, width, note, aged)

    def identity(self) -> Identity:
        """Who asks. Raises as `identify`, with the realm of the source."""
        from dasflex_core.authentication import identify

        site = self.source.site
        try:
            return identify(self.claim, site.registry, site.config)
        except AccessError as error:
            raise AccessError(error.message, kind=error.kind, realm=self.realm) from error

    def refusal(self, who: Identity = NOBODY) -> AccessError:
        """What somebody is told who may not have what they ask, with what they might have."""
        what = f"{self.source.id} is protected ({self.realm or 'no realm'})"
        open_ = self._open()
        if who.user:
            told = f"{what}, and your rules do not allow this request{open_}"
            return AccessError(told, kind="access.denied", detail=f"the user is {who.user}")
        return AccessError(f"{what}: log in to read it{open_}", kind="access.log-in", realm=self.realm)

    @property
    def realm(self) -> str:
        """What one would log in to."""
        return next((each.access.realm for each in self._closed if each.access.realm), "")

    @property
    def _closed(self) -> list[Definition]:
        """The source, and what it is a view of, as far as these have rules."""
        shown = view_chain(self.source.definition, self.source.site.catalog.find)
        return [each for each in shown if each.access.allow]

    def _open(self) -> str:
        """What of the source is open to everybody, as the end of a sentence."""
        said = {"age": "data older than {}", "bin": "averages of {} or more"}
        rules = (rule.partition(":") for each in self._closed[:1] for rule in each.access.allow)
        found = [said[kind].format(text) for kind, _, text in rules if kind in said]
        return f"; {' and '.join(found)} are open to everybody" if found else ""

    def _more(self, who: Identity) -> str:
        """How one gets more than averages."""
        return "your rules do not allow more" if who.user else f"log in ({self.realm or 'no realm'}) for more"


def protected(source: Source) -> bool:
    """Whether a source has rules of access, or shows one that has.

    A view of what is not there any more, which nobody can have data of, is as protected as itself.
    """
    try:
        shown = view_chain(source.definition, source.site.catalog.find)
    except (ConfigError, NotFoundError):
        shown = (source.definition,)
    return any(each.access.allow for each in shown)


def is_trusted(claim: Claim, site: Site) -> bool:
    """Whether the address is one that is never asked for a password, and nobody else asks in its name."""
    return comes_from(claim, site.config.allow_test_from)


def comes_from(claim: Claim, ranges: Sequence[Network]) -> bool:
    """Whether who asks is at an address in one of these ranges, and nobody else asks in their name."""
    if not ranges or not claim.address or claim.foreign:
        return False
    from ipaddress import ip_address

    try:
        address = ip_address(claim.address)
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in each for each in ranges if each.version == plain.version)


def _end(text: str, now: Time) -> Time | None:
    """The end of the range; None without one, and for what has none."""
    from dasflex_core.times import FOREVER, parse_time

    if not text:
        return None
    end = parse_time(text, now=now)
    return None if end == FOREVER else end


def _seconds(text: str) -> float | None:
    """The width of bins; None for what is no number that bins may have."""
    try:
        width = float(text)
    except ValueError:
        return None
    return width if 0 < width < float("inf") else None
