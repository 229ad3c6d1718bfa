# SPDX-License-Identifier: GPL-3.0-or-later
"""What formats that make a file must keep: the contract of all formatters, each run in a directory of its own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from dasflex_core.stages import FileFormatter, spec_of
from dasflex_core.testing.contracts import FormatterContract
from dasflex_core.testing.expecting import expect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Item
    from dasflex_core.stages import StageSpec

__all__ = ["FileFormatterContract"]


class FileFormatterContract(FormatterContract):
    """Items become a file. Set `formatter` to a class that extends `FileFormatter`.

    Two files of the same items hold the same bytes; override `content` where a format writes down when it was made.
    """

    formatter: ClassVar[type[FileFormatter]]  # type: ignore[assignment]  # it is made in another way, by `begun`

    def declared(self) -> StageSpec:
        """The declaration of the formatter."""
        return spec_of(self.formatter)

    def begun(self, scratch: Path) -> FileFormatter:
        """A new formatter that makes its file in a directory."""
        return self.formatter(scratch=scratch, **self.options)

    def content(self, path: Path) -> bytes:
        """What two files of the same items share."""
        return path.read_bytes()

    def run(self, items: Iterable[Item]) -> list[bytes]:
        """What is in the file of a stream."""
        with TemporaryDirectory() as scratch:
            formatter = self.begun(Path(scratch))
            for item in items:
                formatter.feed(item)
            return [self._finished(formatter, Path(scratch))]

    def _finished(self, formatter: FileFormatter, scratch: Path) -> bytes:
        """What is in the file that a formatter has made in its directory."""
        path = formatter.finish()
        expect(path.is_file() and path.resolve().is_relative_to(scratch.resolve()), f"{path} is no file in {scratch}")
        return self.content(path)

    def test_it_is_run_as_what_makes_a_file(self) -> None:
        """The declaration says so: its protocol is `spool`."""
        expect(self.declared().protocol == "spool", "what makes a file has the protocol spool: extend FileFormatter")

    def test_two_formatters_do_not_meet(self) -> None:
        """A server formats many streams at once: two objects share no state, and no file."""
        for name, chunks in self.taken().items():
            with TemporaryDirectory() as one, TemporaryDirectory() as two:
                places = [Path(one), Path(two)]
                both = [self.begun(place) for place in places]
                for item in self.streams()[name]:
                    for formatter in both:
                        formatter.feed(item)
                made = [self._finished(formatter, place) for formatter, place in zip(both, places, strict=True)]
            expect(made == [chunks[0]] * 2, f"two formatters at work on {name} disturb one another")
