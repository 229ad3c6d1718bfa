# SPDX-License-Identifier: GPL-3.0-or-later
"""The solver finds the cheapest path, and each parameter of the request is consumed exactly once on it."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.plan.solver import PLACES, StageIndex, Task, binds, solve
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import StreamType

DAS2 = StreamType("das", "2")
ARRAYS = StreamType("arrays")
CSV = StreamType("csv")


def stage(name, accepts, produces, *, required=(), offered=(), modifier=(), seconds=0.1, bundled=True, **more):
    params = tuple(
        ParamSpec(each, mode=mode)
        for mode, names in (("required", required), ("offered", offered), ("modifier", modifier))
        for each in names
    )
    traits = {key: frozenset(value) for key, value in more.items()}
    return StageSpec(name, "", accepts, produces, "m:c", params=params, cost=Cost(seconds), bundled=bundled, **traits)


READER = stage("reader", None, DAS2, required=("read.time.min", "read.time.max"), seconds=1.0, adds=("waveform",))
DECODE = stage("decode", DAS2, ARRAYS)
ENCODE = stage("encode", ARRAYS, DAS2)
BIN = stage("bin", ARRAYS, ARRAYS, required=("bin.time.max",), modifier=("bin.stats",))
PSD = stage("psd", ARRAYS, ARRAYS, required=("dft.length",), needs=("waveform",), adds=("spectra",))
TO_CSV = stage("csv", ARRAYS, CSV, offered=("format.delim",))
RANGE = {"read.time.min": "2020", "read.time.max": "2021"}


def names(stages, request, goal, must=None, **more):
    asked = {**RANGE, **request}
    path = solve(Task(StageIndex(stages), asked, frozenset(asked if must is None else must), goal, **more))
    return None if path is None else [step.spec.name for step in path.steps]


def test_the_readers_own_type_needs_no_codec():
    assert names([READER, DECODE, ENCODE], {}, DAS2) == ["reader"]


def test_a_conversion_decodes_and_encodes_once():
    assert names([READER, DECODE, ENCODE, TO_CSV], {"format.delim": ";"}, CSV) == ["reader", "decode", "csv"]


def test_two_reducers_share_one_decoder():
    request = {"dft.length": "800", "bin.time.max": "60"}
    assert names([READER, DECODE, ENCODE, BIN, PSD], request, DAS2) == ["reader", "decode", "psd", "bin", "encode"]


def test_a_reader_that_can_average_leaves_bins_to_the_reducer_when_spectra_are_asked():
    """Averaging before the transform would be cheaper, and wrong: families come in order."""
    able = stage("able", None, DAS2, required=tuple(RANGE), offered=("bin.time.max",), seconds=1.0, adds=("waveform",))
    stages = [able, DECODE, ENCODE, BIN, PSD]
    assert names(stages, {"bin.time.max": "60"}, DAS2) == ["able"]
    assert names(stages, {"bin.time.max": "60", "dft.length": "8"}, DAS2) == ["able", "decode", "psd", "bin", "encode"]


def test_a_second_formatter_of_equal_cost_changes_nothing():
    stranger = stage("a-csv", ARRAYS, CSV, offered=("format.delim",), bundled=False)
    stages = [READER, DECODE, TO_CSV]
    for order in ([*stages, stranger], [stranger, *stages]):
        assert names(order, {"format.delim": ";"}, CSV) == names(stages, {"format.delim": ";"}, CSV)


def test_a_preferred_stage_wins_a_tie():
    other = stage("other-csv", ARRAYS, CSV, offered=("format.delim",))
    assert names([READER, DECODE, TO_CSV, other], {}, CSV, prefer=("other-csv",)) == ["reader", "decode", "other-csv"]


def test_what_nothing_consumes_has_no_path():
    assert names([READER, DECODE], {"calc.odd": "1"}, DAS2) is None


def test_a_stage_that_needs_a_trait_is_not_offered_without_it():
    plain = stage("reader", None, DAS2, required=tuple(RANGE))
    assert names([plain, DECODE, ENCODE, PSD], {"dft.length": "8"}, DAS2) is None


def test_a_modifier_counts_only_with_its_stage():
    request = {"bin.stats": "max"}
    assert names([READER, DECODE, ENCODE, BIN], request, DAS2) is None
    assert names([READER, DECODE, ENCODE, BIN], request, DAS2, must=RANGE) == ["reader"]
    both = {**request, "bin.time.max": "60"}
    assert names([READER, DECODE, ENCODE, BIN], both, DAS2) == ["reader", "decode", "bin", "encode"]


def test_a_wildcard_is_bound_to_an_axis_that_the_data_have():
    any_bin = stage("bin-any", ARRAYS, ARRAYS, required=("bin.{coord}.max",))
    request = {"bin.frequency.max": "10"}
    assert names([READER, DECODE, ENCODE, any_bin], request, DAS2) is None
    spectral = stage("reader", None, DAS2, required=tuple(RANGE), adds=("axis:frequency",))
    assert names([spectral, DECODE, ENCODE, any_bin], request, DAS2) == ["reader", "decode", "bin-any", "encode"]
    assert binds("bin.{coord}.max", "bin.a.b.max") is None


def test_an_unknown_variant_does_not_pass_for_a_known_one():
    text = stage("to-text", ARRAYS, StreamType("das", "2", "text"))
    assert names([READER, DECODE, text], {}, StreamType("das", "2", "text")) == ["reader", "decode", "to-text"]


def test_a_banned_stage_is_not_used():
    assert names([READER, DECODE, ENCODE, TO_CSV], {}, CSV, banned=frozenset({"csv"})) is None


def test_wanted_traits_must_hold_at_the_goal():
    assert names([READER], {}, DAS2, wanted=frozenset({"waveform"})) == ["reader"]
    assert names([READER], {}, DAS2, wanted=frozenset({"spectra"})) is None


# Brute force over random registries

KINDS = [StreamType("das", "2"), StreamType("das", "3"), ARRAYS, CSV]
NAMES = ["read.a", "dft.b", "calc.c", "bin.d", "format.e"]


@st.composite
def registries(draw):
    stages = []
    for place in range(draw(st.integers(1, 6))):
        chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
        modes = {name: draw(st.sampled_from(["required", "offered"])) for name in chosen}
        reader = place == 0 or (draw(st.booleans()) and draw(st.booleans()))
        stages.append(
            stage(
                f"s{place}",
                None if reader else draw(st.sampled_from(KINDS)),
                draw(st.sampled_from(KINDS)),
                required=[name for name, mode in modes.items() if mode == "required"],
                offered=[name for name, mode in modes.items() if mode == "offered"],
                seconds=draw(st.integers(1, 9)),
                adds=draw(st.sets(st.sampled_from(["waveform", "spectra"]), max_size=1)),
                needs=draw(st.sets(st.sampled_from(["waveform", "spectra"]), max_size=1)) if not reader else (),
            )
        )
    request = dict.fromkeys(draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)), "1")
    return stages, request, draw(st.sampled_from(KINDS))


def choices(spec, request):
    """Every set of parameters that a stage could consume."""
    required = [p.name for p in spec.params if p.mode == "required"]
    offered = [p.name for p in spec.params if p.mode == "offered" and p.name in request]
    if all(name in request for name in required):
        for size in range(len(offered) + 1):
            for some in combinations(offered, size):
                yield frozenset((*required, *some))


def followers(stages, request, kind, traits, family, consumed):
    """Every stage that may be taken next, what it consumes, and the place of the families after it."""
    for spec in stages:
        fits = spec.accepts is None if kind is None else spec.accepts is not None and kind.serves(spec.accepts)
        for taken in choices(spec, request) if fits and spec.needs <= traits else ():
            places = [PLACES[name.partition(".")[0]] for name in taken]
            if not taken & consumed and (not places or min(places) >= family):
                yield spec, taken, max([family, *places])


def brute_force(stages, request, goal, longest):
    """The least cost over every sequence of stages up to a length, by trying them all."""
    best = None

    def walk(kind, traits, family, consumed, cost, length):
        nonlocal best
        if kind is not None and consumed == frozenset(request) and kind.serves(goal):
            best = cost if best is None else min(best, cost)
        if length == longest:
            return
        for spec, taken, after in followers(stages, request, kind, traits, family, consumed):
            now = cost + spec.cost.start
            if best is None or now < best:
                walk(spec.produces, (traits - spec.drops) | spec.adds, after, consumed | taken, now, length + 1)

    walk(None, frozenset(), 0, frozenset(), 0.0, 0)
    return best


@settings(max_examples=400, deadline=None)
@given(registries())
def test_the_cheapest_path_is_that_of_brute_force(case):
    stages, request, goal = case
    path = solve(Task(StageIndex(stages), request, frozenset(request), goal))
    # Longer detours than this only repeat states: every step but a few consumes, converts or adds a trait.
    best = brute_force(stages, request, goal, 7)
    assert (None if path is None else path.seconds) == best
    if path is not None:
        consumed = [name for step in path.steps for name in step.consumes]
        assert sorted(consumed) == sorted(request)
