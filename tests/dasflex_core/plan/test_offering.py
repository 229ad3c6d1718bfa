# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source takes and gives follows from the stages that its readers reach, and from nothing else."""

from __future__ import annotations

from dasflex_core.catalog.model import Coord, Definition, ExternalStage, Option, Reader
from dasflex_core.plan.offering import offered
from dasflex_core.registry import Registry
from dasflex_core.stages import ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

RANGE = "#[read.time.min] #[read.time.max]"
BINARY, TEXT, TABLE = StreamType("das", "2", "binary"), StreamType("das", "2", "text"), StreamType("csv")
REGISTRY = Registry(
    stages=(
        StageSpec("decode", "", StreamType("das", "2"), ARRAYS, "x:y"),
        StageSpec("text", "", ARRAYS, TEXT, "x:y", params=(ParamSpec("format.secfrac", "offered", "integer"),)),
        StageSpec("table", "", ARRAYS, TABLE, "x:y", params=(ParamSpec("format.delim", "offered"),)),
        StageSpec("spectra", "", ARRAYS, ARRAYS, "x:y", needs=frozenset({"waveform"}), drops=frozenset({"waveform"}), params=(ParamSpec("dft.length", type="integer"),)),
        StageSpec("growing", "", ARRAYS, ARRAYS, "x:y", params=(ParamSpec("calc.more", "offered"),)),
        StageSpec("elsewhere", "", StreamType("qstream"), ARRAYS, "x:y", params=(ParamSpec("calc.other"),)),
    ),
    stream_types=tuple(StreamTypeInfo(each, str(each), "x/y", str(each)) for each in (BINARY, TEXT, TABLE, StreamType("png"))),
)  # fmt: skip


def source(*readers: Reader, **more) -> Definition:
    return Definition(id="A", title="A", readers=readers, **more)


def names(definition: Definition, *external: ExternalStage) -> set[str]:
    return {each.name for each in offered(definition, REGISTRY, lambda _name: definition, external).params}


def test_a_source_takes_what_its_command_mentions_and_what_stages_behind_it_consume():
    made = source(Reader("r", command=f"read {RANGE} #[read.gain # @ #]", writes="das/2"), options={"gain": Option()})
    assert names(made) == {"read.time.min", "read.time.max", "read.gain", "format.secfrac", "format.delim", "calc.more"}


def test_a_stage_that_needs_a_trait_counts_only_where_the_data_have_it():
    reader = Reader("r", command=f"read {RANGE}", writes="das/2")
    waveform = source(reader, coords={"time": Coord(), "offset": Coord(of="time")})
    assert "dft.length" not in names(source(reader))
    assert "dft.length" in names(waveform)


def test_the_types_are_those_that_can_be_reached():
    made = source(Reader("r", command=f"read {RANGE}", writes="das/2/binary"))
    offer = offered(made, REGISTRY, lambda _name: made)
    assert [info.type for info in offer.types] == [BINARY, TEXT, TABLE]
    assert offer.own == BINARY
    assert set(offer.formats) == {("das", "format.secfrac"), ("csv", "format.delim")}
    strange = source(Reader("r", command=f"read {RANGE}", writes="png"))
    assert [info.type.kind for info in offered(strange, REGISTRY, lambda _name: strange).types] == ["png"]


def test_what_every_reader_must_be_given_is_required_and_defaults_are_not():
    archive = Reader("archive", command=f"read {RANGE} #[read.gain] #[read.mode]", writes="das/2")
    live = Reader("live", command="follow #[read.time.min] #[read.mode]", writes="das/2", live=True)
    made = source(archive, live, options={"gain": Option(), "mode": Option(default="a")})
    offer = offered(made, REGISTRY, lambda _name: made)
    assert offer.required == {"read.time.min"}
    assert offer.param("read.gain").name == "read.gain"
    assert offer.param("read.nothing") is None


def test_an_inexact_reader_is_told_the_range_all_the_same():
    made = source(Reader("r", command=f"read {RANGE}", writes="das/2", exact=False))
    offer = offered(made, REGISTRY, lambda _name: made)
    assert offer.required == {"read.time.min", "read.time.max"}
    assert offer.param("read.time.max").type == "time"


def test_a_view_takes_what_it_shows_takes_and_what_the_definition_forbids_is_left_out():
    base = source(Reader("r", command=f"read {RANGE} #[read.gain # @ #]", writes="das/2"), options={"gain": Option(title="Gain")})  # fmt: skip
    view = Definition(id="V", title="V", readers=(Reader("r", source="A"),), never=("calc", "table"))
    offer = offered(view, REGISTRY, lambda _name: base)
    assert offer.param("read.gain").title == "Gain"
    assert not {"calc.more", "format.delim"} & {each.name for each in offer.params}


def test_the_sites_own_filters_count():
    made = source(Reader("r", command=f"read {RANGE}", writes="das/2"))
    filter_ = ExternalStage("mean", "mean #[bin.time.max]", "das/2", "das/2")
    assert "bin.time.max" in names(made, filter_)


def test_a_source_without_a_reader_that_is_installed_offers_nothing():
    made = source(Reader("r", files="*.cdf"))
    assert offered(made, REGISTRY, lambda _name: made).params == ()
