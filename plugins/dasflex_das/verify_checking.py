# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a stream as the core takes it: `dasflex check`, of what may have been cut off, and the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.verdicts import FindingVerdict, HeaderVerdict, StreamReport, Verdict
from dasflex_das.verifying import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DasVerifier"]


class DasVerifier:
    """Verifies das2 and das3 streams, whichever comes."""

    def __init__(self) -> None:
        self._verifier = Verifier()

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk."""
        self._verifier.feed(chunk)

    def verdicts(self, *, whole: bool) -> Iterator[Verdict]:
        """The findings: a fault is wrong, a deviation is not. That a cut stream has no end is none."""
        found = self._verifier.finish().findings if whole else self._verifier.findings
        for each in found:
            often = f" ({each.count:,} times)" if each.count > 1 else ""
            yield Verdict(f"{each.place}: {each.message}{often}", wrong=each.verdict == "fault")

    def report(self) -> StreamReport:
        """The report on all that was fed."""
        found = self._verifier.finish()
        headers = tuple(
            HeaderVerdict(each.packet, each.offset, each.root, each.name, each.verdict) for each in found.headers
        )
        findings = tuple(
            FindingVerdict(each.verdict, each.rule, each.place, each.message, each.text, each.count)
            for each in found.findings
        )
        return StreamReport(found.verdict, found.form, found.size, headers, findings, found.left_out)
