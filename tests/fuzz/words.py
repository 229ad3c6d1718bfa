# SPDX-License-Identifier: GPL-3.0-or-later
"""What all fuzz targets that build their input share: random words, and bounds of memory and time."""

from __future__ import annotations

import resource
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import atheris
import seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: Bytes of address space that inputs of some kilobytes may make the process grow by.
GROWTH = 1 << 30
#: Megabytes that the process may hold; libFuzzer ends at more, and keeps the input that it was at.
RESIDENT = 1536
#: Seconds that one input may take.
SECONDS = 10
#: Bytes of an input that is taken apart into words.
LONGEST = 2048


class Words:
    """Random words and texts for headers, out of the bytes of the fuzzer."""

    def __init__(self, data: bytes) -> None:
        self.source = atheris.FuzzedDataProvider(data)
        self.rare = self.source.PickValueInList([255, 254, 251, 240])

    def number(self, low: int, high: int) -> int:
        """A number of the range, both ends included."""
        return self.source.ConsumeIntInRange(low, high)

    def flag(self) -> bool:
        """Yes or no."""
        return self.source.ConsumeBool()

    def seldom(self) -> bool:
        """Mostly no; some inputs are wilder than others."""
        return self.number(0, 255) > self.rare

    def text(self, most: int = 12) -> str:
        """Any text, control characters and all."""
        return self.source.ConsumeUnicodeNoSurrogates(self.number(0, most))

    def data(self, most: int) -> bytes:
        """Any bytes."""
        return self.source.ConsumeBytes(self.number(0, most))

    def pick(self, usual: Sequence[str], odd: Sequence[str] = ()) -> str:
        """One of the usual words; seldom an odd one, or any text."""
        if not self.seldom():
            return self.source.PickValueInList(list(usual))
        return self.source.PickValueInList(list(odd)) if odd and self.flag() else self.text()

    def attributes(self, **texts: tuple[Sequence[str], Sequence[str]]) -> str:
        """The attributes with one of their usual or odd texts each; any of them may be left out."""
        return "".join(f' {name}="{self.pick(*each)}"' for name, each in texts.items() if not self.seldom())


def fuzz(target: Callable[[bytes], None], starts: Iterable[bytes] = (), *, longest: int = LONGEST) -> None:
    """Hands random bytes to the target until the time of libFuzzer is over, within bounds of memory and time.

    `starts` go into the corpus, if the command names one: targets of raw bytes find little without them.
    """
    folders = [each for each in sys.argv[1:] if Path(each).is_dir()]
    if folders:
        seeds.plant(Path(folders[0]), starts)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  no path to speak of
        size = int(file.read().split()[0]) * resource.getpagesize()
    warnings.simplefilter("error")  # numpy warns of what nobody thought of
    resource.setrlimit(resource.RLIMIT_AS, (size + GROWTH, resource.RLIM_INFINITY))
    bounds = [f"-timeout={SECONDS}", f"-rss_limit_mb={RESIDENT}", f"-max_len={longest}", "-len_control=0"]
    atheris.Setup([sys.argv[0], *bounds, *sys.argv[1:]], target)
    atheris.Fuzz()
