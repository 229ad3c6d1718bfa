# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be had of a source, and what an extra would add, is what the solver finds plans for."""

from __future__ import annotations

from dataclasses import replace

from dasflex_core.catalog.model import Coord, Definition, Reader
from dasflex_core.declarations import Convention
from dasflex_core.extras import Extra
from dasflex_core.plan.capabilities import Way, additions, capabilities
from dasflex_core.plan.offering import offered
from dasflex_core.registry import Registry
from dasflex_core.stages import ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

DAS2, CSV, CDF = StreamType("das", "2", "text"), StreamType("csv"), StreamType("cdf")
FOURIER = StageSpec(
    "fourier", "", ARRAYS, ARRAYS, "x:y", needs=frozenset({"waveform"}), drops=frozenset({"waveform"}),
    params=(ParamSpec("dft.length", type="integer", title="Samples"),),
)  # fmt: skip
CDF_EXTRA = Extra(
    "cdf",
    "Files of CDF",
    "dasflex[cdf]",
    "no_such_library",
    (StageSpec("cdf", "", ARRAYS, CDF, "x:y"),),
    (StreamTypeInfo(CDF, "CDF", "application/x-cdf", "cdf"),),
)
REGISTRY = Registry(
    stages=(
        StageSpec("decode", "", StreamType("das", "2"), ARRAYS, "x:y"),
        StageSpec("text", "", ARRAYS, DAS2, "x:y"),
        StageSpec("table", "", ARRAYS, CSV, "x:y"),
        FOURIER,
    ),
    stream_types=(
        StreamTypeInfo(DAS2, "das2 as text", "x/y", "d2t"),
        StreamTypeInfo(CSV, "A table", "text/csv", "csv"),
    ),
    conventions=(Convention("das2", "das2 clients", "x:y", goal="das/2"), Convention("hapi", "HAPI", "x:y", goal="hapi")),
    extras=(
        CDF_EXTRA,
        Extra("pages", "A plot", "dasflex[pages]", "no_such_library", shows="csv"),
        Extra("sound", "A sound", "dasflex[sound]", "no_such_library", shows="wav"),
    ),
)  # fmt: skip
READER = Reader("r", command="read #[read.time.min] #[read.time.max]", writes="das/2/text")
PLAIN = Definition(id="A", title="A", readers=(READER,))
WAVEFORM = replace(PLAIN, coords={"time": Coord(), "offset": Coord(of="time")})


def added(definition, registry=REGISTRY):
    offer = offered(definition, registry, lambda _name: definition)
    return additions(offer, definition, registry, lambda _name: definition)


def test_formats_reductions_and_clients_are_those_with_a_plan():
    def of(definition):
        return capabilities(offered(definition, REGISTRY, lambda _name: definition), REGISTRY)

    assert of(PLAIN).formats == (
        Way(".d2t", "das2 as text", ("format.type=das", "format.version=2", "format.serial=text")),
        Way(".csv", "A table", ("format.type=csv",)),
    )
    assert of(PLAIN).reductions == ()
    assert of(WAVEFORM).reductions == (Way("Fourier transforms", "Samples", ("dft.length",)),)
    assert [each.name for each in of(PLAIN).conventions] == ["das2"]


def test_an_extra_adds_the_difference_that_its_stages_make_to_the_solver():
    cdf, pages = added(PLAIN)
    assert cdf.requirement == "dasflex[cdf]"
    assert cdf.ways == (Way(".cdf", "CDF", ("format.type=cdf",)),)
    assert (pages.requirement, pages.ways) == ("dasflex[pages]", ())


def test_an_extra_that_adds_nothing_to_this_source_is_not_told():
    """What nothing decodes has no use for a writer of arrays, nor a plot of a table that cannot be had."""
    strange = replace(PLAIN, readers=(replace(READER, writes="png"),))
    assert added(strange) == ()
    only_waveforms = replace(CDF_EXTRA, stages=(replace(CDF_EXTRA.stages[0], needs=frozenset({"waveform"})),))
    registry = replace(REGISTRY, extras=(only_waveforms,))
    assert added(PLAIN, registry) == ()
    assert [each.requirement for each in added(WAVEFORM, registry)] == ["dasflex[cdf]"]


def test_where_everything_is_installed_nothing_is_added():
    assert added(PLAIN, replace(REGISTRY, extras=())) == ()
