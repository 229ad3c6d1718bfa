# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic reducers of das2 streams as words of `dasflex filter`, with their own options (das-streams 5.1 to 5.5, 5.8).

What comes out has the generation of what comes in. Values keep their encoding in das2; in das3 all are text where the
first are. Options that only changed how a program
met a fault that is none here (`-m` of das2_bin_ratesec, `-x` and `-m` of das2_psd) are accepted and do nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.classic import number, options
from dasflex_core.errors import QueryError
from dasflex_core.units import convert_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bin_avgsec", "bin_peakavgsec", "bin_ratesec", "histo", "psd"]

_BINARY: Final = re.compile(rb'(?:type|encoding)\s*=\s*["\'](?:sun_real|little_endian_real|float|double|[BL]E|u?byte)')


def _around(head: bytes, *inside: str) -> list[str]:
    """The words of some reducers with the decoder and the encoder that the input needs."""
    if head.lstrip()[:1] != b"|":
        return ["das2-decode", "--then", *inside, "--then", "das2-binary", "keep=true"]
    form = "binary" if _BINARY.search(head) or b"<p" not in head else "text"
    return ["das3-decode", "--then", *inside, "--then", f"das3-{form}"]


def _begin(found: dict[str, str]) -> list[str]:
    """Where bin 0 begins, if that was said."""
    return [f"read.time.min={found['b']}"] if "b" in found else []


def _seconds(what: str, text: str) -> float:
    """A length of time such as `0.5 s` in seconds. Raises `QueryError`."""
    amount, _, units = text.strip().partition(" ")
    factor = convert_factor(units.strip() or "s", "s")
    if factor is None:
        raise QueryError(f"{what} is a length of time, such as '0.5 s', not {text!r}", kind="query.bad-value")
    return number(what, "it", amount) * factor


def psd(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das2_psd [-d] [-n] [-c CADENCE] [-j JITTER] LENGTH SLIDE_DENOMINATOR`.

    Both kinds of transform stand in the plan: each takes the datasets that suit it. A cadence is a number with its
    units, or of seconds.
    """
    names = {"keep-dc": "d", "no-skip": "n", "cadence": "c", "max-jitter": "j"}
    found, (length, slide) = options("das2_psd", arguments, flags="dnxm", valued="cj", names=names, count=(2, 2))
    values = [f"length={length}", f"slide={slide}", *(["detrend=none"] if "d" in found else [])]
    if "c" in found:
        values.append(f"cadence={_seconds('das2_psd: -c', found['c'])!r}")
    skip = ["skip=false"] if "n" in found else []
    jitter = [f"jitter={number('das2_psd', '-j', found['j'])!r}"] if "j" in found else []
    lines = ["spectral-density-lines", *values, *jitter]
    return _around(head, "spectral-density", *values, *skip, "--then", *lines)


def bin_avgsec(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das2_bin_avgsec [-r] [-s] [-p] [-b BEGIN] BIN_SECONDS`."""
    found, (seconds,) = options("das2_bin_avgsec", arguments, flags="rsp", valued="b", count=(1, 1))
    stats = ["mean", *(["min", "max"] if "r" in found else []), *(["stddev"] if "s" in found else [])]
    bins = ["bin-average", f"bin.time.max={seconds}", f"bin.stats={','.join(stats)}", *_begin(found)]
    quiet = ["--then", "quiet", "format.remarks=data"] if "p" in found else []
    return _around(head, *bins, *quiet)


def bin_peakavgsec(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das2_bin_peakavgsec [-b BEGIN] BIN_SECONDS`."""
    found, (seconds,) = options("das2_bin_peakavgsec", arguments, valued="b", count=(1, 1))
    return _around(head, "bin-average", f"bin.time.max={seconds}", "bin.stats=mean,max", *_begin(found))


def bin_ratesec(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das2_bin_ratesec [-m] [-v UNITS] [-e] [-b BEGIN] [-t TITLE] [-y LABEL] BIN_SECONDS`."""
    names = {"monotonic": "m", "volume": "v", "events": "e", "begin": "b", "title": "t", "ylabel": "y"}
    found, (seconds,) = options("das2_bin_ratesec", arguments, flags="me", valued="vbty", names=names, count=(1, 1))
    if "v" in found and found["v"] not in ("bytes", "kB", "MB", "GB"):
        raise QueryError(f"das2_bin_ratesec: -v {found['v']!r} is none of bytes, kB, MB, GB", kind="query.bad-value")
    of = found.get("v") or ("events" if "e" in found else "records")
    width = number("das2_bin_ratesec", "the width of a bin", seconds)
    texts = [
        f"calc.rate.{name}={found[letter]}" for letter, name in (("t", "title"), ("y", "label")) if letter in found
    ]
    return _around(head, "rate", f"calc.rate={width!r}", f"calc.rate.of={of}", *texts, *_begin(found))


def histo(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das2_histo [-b|-a]`."""
    found, _rest = options("das2_histo", arguments, flags="ba", count=(0, 0))
    kind = "below" if "b" in found else "above" if "a" in found else "count"
    return _around(head, "histogram", f"calc.histogram={kind}")
