# SPDX-License-Identifier: GPL-3.0-or-later
"""The class line and `param()` of a plugin's class are its declaration."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dasflex_core.arrays import Comment, NoData, Problem, Records, StreamHeader
from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.stages import (
    Cost,
    Decoder,
    FileFormatter,
    Formatter,
    ParamSpec,
    Producer,
    Reducer,
    Spool,
    Stage,
    StageSpec,
    param,
    spec_of,
)
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_core.testing import golden


class BandPower(Reducer, needs="spectra", drops="spectra", algorithm=2):
    """A spectral density summed over a band of frequency, [low, high).

    More of it.
    """

    low: float = param("calc.band.min", units="Hz", help="Lower edge of the band")
    high: float = param("calc.band.max", units="Hz", help="Upper edge of the band")


class Lines(Formatter, produces="lines", start=0.2, per_gb=3.0, reads=("read.time.min",)):
    """Lines of text."""

    digits: int = param("format.sigdigit", mode="offered", low=2, high=17, default="6")
    kinds: tuple[str, ...] = param("format.kinds", mode="offered", values={"a": "A", "b": "B"})

    def comment(self, comment):
        return comment.text.encode()


class Count(FileFormatter, produces="count", needs="one"):
    """How many records there are."""

    word: str = param("format.count.word", mode="offered", default="records")
    held = 0

    def records(self, batch):
        self.held += len(batch)

    def finish(self):
        path = self.scratch / "count"
        path.write_text(f"{self.held} {self.word}", encoding="ascii")
        return path


class TestDeclaration:
    def test_the_class_makes_the_spec(self):
        assert BandPower.spec == StageSpec(
            name="band-power",
            title="A spectral density summed over a band of frequency, [low, high)",
            accepts=ARRAYS,
            produces=ARRAYS,
            factory=f"{__name__}:BandPower",
            needs=frozenset({"spectra"}),
            drops=frozenset({"spectra"}),
            params=(
                ParamSpec("calc.band.min", type="real", units="Hz", help="Lower edge of the band", attribute="low"),
                ParamSpec("calc.band.max", type="real", units="Hz", help="Upper edge of the band", attribute="high"),
            ),
            cost=Cost(0.0, 1.0),
            algorithm=2,
        )
        assert BandPower.spec.role == "reducer"

    def test_annotations_give_the_types(self):
        assert [(each.type, each.mode, each.default) for each in Lines.spec.params] == [
            ("integer", "offered", "6"),
            ("list", "offered", None),
        ]
        assert Lines.spec.produces == StreamType("lines")
        assert Lines.spec.role == "formatter"
        assert Lines.spec.reads == ("read.time.min",)

    def test_the_values_become_attributes(self):
        band = BandPower(low=1.0, high=2.0)
        assert (band.low, band.high) == (1.0, 2.0)
        with pytest.raises(TypeError, match="width"):
            BandPower(width=3.0)

    def test_a_parameter_that_is_not_given_has_its_default_typed(self):
        lines = Lines(kinds=("a",))
        assert (lines.digits, lines.kinds) == (6, ("a",))
        assert BandPower(low=1.0).high is None

    def test_an_unknown_trait_is_refused_when_declared(self):
        with pytest.raises(ConfigError, match="no trait 'spectrum'"):
            type("Bad", (Reducer,), {}, needs="spectrum")

    def test_an_annotation_that_no_parameter_can_have_is_refused(self):
        with pytest.raises(ConfigError, match="not complex"):
            type("Bad", (Reducer,), {"__annotations__": {"x": "complex"}, "x": param("calc.x")})

    def test_only_stages_have_a_spec(self):
        assert spec_of(BandPower) is BandPower.spec
        with pytest.raises(ConfigError, match="declares no stage"):
            spec_of(int)


class TestDefaults:
    def test_a_formatter_leaves_comments_out_and_breaks_at_a_problem(self):
        assert list(Lines().feed(Comment("log:info", "hello"))) == [b"hello"]
        with pytest.raises(SourceError, match="out of tape"):
            list(Lines().feed(Problem("ServerError", "out of tape")))

    def test_a_file_formatter_takes_items_by_their_kind_and_breaks_at_a_problem(self, tmp_path):
        count = Count(scratch=tmp_path, word="rows")
        items = golden.scalars()
        for item in (StreamHeader(), *items, Comment("log:info", "hello"), NoData(), items[-1]):
            assert count.feed(item) is None
        held = 2 * sum(len(item) for item in items if isinstance(item, Records))
        assert count.finish().read_text(encoding="ascii") == f"{held} rows"
        assert Count.spec.protocol == "spool"
        assert (Lines.spec.protocol, BandPower.spec.protocol) == ("stage", "stage")
        with pytest.raises(SourceError, match="out of tape"):
            count.feed(Problem("ServerError", "out of tape"))

    def test_a_file_formatter_without_a_method_says_what_is_missing(self, tmp_path):
        bare = type("Bare", (FileFormatter,), {}, produces="bare")(scratch=tmp_path)
        with pytest.raises(ConfigError, match="Bare writes no records"):
            bare.feed(golden.scalars()[-1])
        with pytest.raises(ConfigError, match="Bare makes no file"):
            bare.finish()

    def test_the_bases_follow_the_protocols(self, tmp_path):
        assert isinstance(Count(scratch=tmp_path), Spool)
        assert isinstance(Lines(), Stage)
        assert isinstance(type("D", (Decoder,), {}, accepts="x")(), Stage)
        assert not isinstance(Lines(), Producer)


def test_declaring_stages_imports_no_numpy():
    code = "import sys, dasflex_core.stages, dasflex_core.hookspecs; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
