# SPDX-License-Identifier: GPL-3.0-or-later
"""What all fuzz targets that build their input share: random words, and bounds of memory and time."""

from __future__ import annotations

import resource
import sys
import warnings
from typing import TYPE_CHECKING

import atheris

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Bytes of address space that inputs of some kilobytes may make the process grow by.
GROWTH = 1 << 30
#: Seconds that one input may take.
SECONDS = 10


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


def fuzz(target: Callable[[bytes], None]) -> None:
    """Hands random bytes to the target until the time of libFuzzer is over, within bounds of memory and time."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  no path to speak of
        size = int(file.read().split()[0]) * resource.getpagesize()
    warnings.simplefilter("error")  # numpy warns of what nobody thought of
    resource.setrlimit(resource.RLIMIT_AS, (size + GROWTH, resource.RLIM_INFINITY))
    atheris.Setup([sys.argv[0], f"-timeout={SECONDS}", "-max_len=2048", "-len_control=0", *sys.argv[1:]], target)
    atheris.Fuzz()
