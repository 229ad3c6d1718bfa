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


def test_a_state_that_a_cheap_detour_reaches_is_not_taken_by_a_dear_reader():
    """What is still to be paid counts for the first stage too: else the dear reader comes to das first."""
    direct = stage("direct", None, DAS2, seconds=5)
    cheap = stage("cheap", None, StreamType("raw"), seconds=1)
    to_das, encode = stage("to-das", StreamType("raw"), DAS2, seconds=3), stage("encode", DAS2, CSV, seconds=2)
    path = solve(Task(StageIndex([direct, cheap, to_das, encode]), {}, frozenset(), CSV))
    assert [step.spec.name for step in path.steps] == ["cheap", "to-das", "encode"]
    own = solve(Task(StageIndex([cheap, to_das]), {}, frozenset(), CSV, stages=(direct, encode)))
    assert own.seconds == path.seconds == 6


def test_equal_costs_are_equal_in_whatever_order_they_are_added():
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ as floats."""
    kinds = [StreamType(each) for each in ("a", "b", "c", "d")]
    up = [stage(f"z{at}", kinds[at - 1] if at else None, kinds[at], seconds=0.1 * (at + 1)) for at in range(3)]
    down = [
        stage("a0", None, StreamType("e"), seconds=0.3),
        stage("a1", StreamType("e"), StreamType("f"), seconds=0.2),
        stage("a2", StreamType("f"), kinds[2], seconds=0.1),
    ]
    for own in ([*up, *down], [*down, *up]):
        path = solve(Task(StageIndex(own), {}, frozenset(), kinds[2]))
        assert [step.spec.name for step in path.steps] == ["a0", "a1", "a2"]


def test_a_preference_decides_before_names_and_strangers_wherever_its_stage_stands():
    stages = [
        READER, stage("a", DAS2, ARRAYS), stage("b", DAS2, StreamType("other")),
        stage("a-csv", ARRAYS, CSV), stage("z-csv", StreamType("other"), CSV, bundled=False),
    ]  # fmt: skip
    assert names(stages, {}, CSV) == ["reader", "a", "a-csv"]
    assert names(stages, {}, CSV, prefer=("z-csv",)) == ["reader", "b", "z-csv"]
    assert names(stages, {}, CSV, prefer=("z-csv", "a-csv", "z-csv")) == ["reader", "b", "z-csv"]


def test_a_third_partys_stage_loses_wherever_it_stands():
    stages = [
        READER, stage("a", DAS2, ARRAYS), stage("b", DAS2, StreamType("other")),
        stage("a-csv", ARRAYS, CSV, bundled=False), stage("z-csv", StreamType("other"), CSV),
    ]  # fmt: skip
    assert names(stages, {}, CSV) == ["reader", "b", "z-csv"]


def test_an_axis_that_a_transform_makes_is_cut_behind_it_and_before_bins():
    """The name is that of the same wish elsewhere, where the reader gives the axis and the cut comes first."""
    psd = stage(
        "psd", ARRAYS, ARRAYS, required=("dft.length",), needs=("waveform",), adds=("spectra", "axis:frequency")
    )
    cut = stage("a-cut", ARRAYS, ARRAYS, offered=("read.{coord}.min", "read.{coord}.max"))
    bands = stage("bands", ARRAYS, ARRAYS, required=("bin.{coord}.max",))
    stages = [READER, DECODE, psd, cut, bands, BIN]
    request = {"read.frequency.max": "1000", "dft.length": "8"}
    assert names(stages, request, ARRAYS) == ["reader", "decode", "psd", "a-cut"]
    everything = {**request, "bin.frequency.max": "10", "bin.time.max": "60", "read.frequency.min": "1"}
    assert names(stages, everything, ARRAYS) == ["reader", "decode", "psd", "a-cut", "bands", "bin"]
    assert names(stages, {"read.frequency.max": "1000"}, ARRAYS) is None
    both = stage("reader", None, DAS2, required=tuple(RANGE), adds=("waveform", "axis:frequency"))
    assert names([both, *stages[1:]], request, ARRAYS) == ["reader", "decode", "a-cut", "psd"]


def test_a_wildcard_is_bound_to_one_coordinate_at_a_time():
    rebin = stage("rebin", ARRAYS, ARRAYS, required=("bin.{coord}.max",), modifier=("bin.{coord}.stats",))
    both = stage("reader", None, DAS2, required=tuple(RANGE), adds=("axis:frequency", "axis:energy"))
    request = {"bin.frequency.max": "10", "bin.energy.max": "3", "bin.energy.stats": "max", "bin.mass.stats": "min"}
    path = solve(
        Task(StageIndex([both, DECODE, rebin]), {**RANGE, **request}, frozenset(request) - {"bin.mass.stats"}, ARRAYS)
    )
    assert [step.spec.name for step in path.steps] == ["reader", "decode", "rebin", "rebin"]
    assert sorted(step.consumes for step in path.steps[2:]) == [
        ("bin.energy.max", "bin.energy.stats"),
        ("bin.frequency.max",),
    ]


def test_a_default_that_a_stage_on_the_path_offers_to_take_is_taken():
    request = {"format.delim": ";"}
    path = solve(Task(StageIndex([READER, DECODE, TO_CSV]), {**RANGE, **request}, frozenset(RANGE), CSV))
    assert path.steps[-1].consumes == ("format.delim",)


# Brute force over random registries

KINDS = [StreamType("das", "2"), StreamType("das", "3"), ARRAYS, CSV]
NAMES = [
    "read.a",
    "dft.b",
    "calc.c",
    "bin.d",
    "bin.x.max",
    "bin.y.max",
    "read.x.max",
    "read.y.max",
    "format.e",
    "odd.f",
]
PATTERNS = ["bin.{coord}.max", "read.{coord}.max"]
FACTS = ["waveform", "spectra", "axis:x", "axis:y"]


@st.composite
def stages_at(draw, place):
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
    chosen += draw(st.lists(st.sampled_from(PATTERNS), max_size=1))
    modes = {name: draw(st.sampled_from(["required", "offered", "modifier"])) for name in chosen}
    reader = place == 0 or draw(st.integers(0, 3)) == 0
    some = st.sets(st.sampled_from(FACTS), max_size=2)
    return stage(
        f"s{place}",
        None if reader else draw(st.sampled_from([*KINDS, StreamType("das")])),
        draw(st.sampled_from(KINDS)),
        required=[name for name, mode in modes.items() if mode == "required"],
        offered=[name for name, mode in modes.items() if mode == "offered"],
        modifier=[name for name, mode in modes.items() if mode == "modifier"],
        seconds=draw(st.integers(0, 4)),
        adds=draw(some),
        drops=() if reader else draw(some),
        needs=() if reader else draw(some),
        bundled=draw(st.booleans()),
    )


@st.composite
def tasks(draw):
    """Registries with few stages and costs, so that many paths cost the same."""
    stages = [draw(stages_at(place)) for place in range(draw(st.integers(1, 6)))]
    split = draw(st.integers(0, len(stages)))
    request = dict.fromkeys(draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4)), "1")
    must = frozenset(name for name in request if draw(st.integers(0, 3)))
    return Task(
        StageIndex(stages[:split]),
        request,
        must,
        draw(st.sampled_from([*KINDS, StreamType("das")])),
        stages=tuple(stages[split:]),
        prefer=tuple(draw(st.lists(st.sampled_from([each.name for each in stages]), max_size=2))),
        wanted=frozenset(draw(st.sets(st.sampled_from(FACTS), max_size=1))),
    )


def choices(spec, request):
    """Every set of parameters that a stage could consume, with the axes that it needs for that."""
    by_mode = {mode: {p.name for p in spec.params if p.mode == mode} for mode in ("required", "offered", "modifier")}
    pattern = next((p for p in spec.params if p.name in PATTERNS), None)
    bound = {name: binds(pattern.name, name) for name in request if binds(pattern.name, name)} if pattern else {}
    free = by_mode["offered"] & request.keys()
    always = (by_mode["required"] - {*PATTERNS}) | (by_mode["modifier"] & request.keys())
    if not always <= request.keys():
        return
    for name in [*([None] if pattern is None or pattern.mode != "required" else []), *bound]:
        for size in range(len(free) + 1):
            for some in combinations(sorted(free), size):
                axes = frozenset({"axis:" + bound[name]}) if name else frozenset()
                yield always | set(some) | ({name} if name else set()), axes


def place_of(task, name, axes):
    """Where a parameter is consumed: in its family, and not before the families of what makes the axis it binds to."""
    word, axis = name.partition(".")[0], "axis:" + name.partition(".")[2].rpartition(".")[0]
    makers = [spec for spec in (*task.index.stages, *task.stages) if axis in spec.adds]
    if axis not in axes or any(spec.accepts is None for spec in makers):
        return PLACES[word]
    needed = [max([0, *(PLACES.get(p.family, 0) for p in spec.params if p.mode == "required")]) for spec in makers]
    return max(PLACES[word], min(needed, default=0))


def followers(task, kind, traits, family, consumed):
    """Every stage that may be taken next, what it consumes, and the place of the families after it."""
    for spec in (*task.index.stages, *task.stages):
        fits = spec.accepts is None if kind is None else spec.accepts is not None and kind.serves(spec.accepts)
        for taken, axes in choices(spec, task.request) if fits and spec.needs <= traits else ():
            places = [place_of(task, name, axes) for name in taken if name.partition(".")[0] in PLACES]
            if not taken & consumed and axes <= traits and (not places or min(places) >= family):
                yield spec, frozenset(taken), max([family, *places])


def key_of(task, steps):
    """What the solver promises to minimise: cost, then preference, strangers, steps, names, and what is left."""
    prefer = list(dict.fromkeys(task.prefer))
    return (
        sum(spec.cost.start for spec, _taken in steps),
        tuple(sum(spec.name not in prefer[: rank + 1] for spec, _taken in steps) for rank in range(len(prefer))),
        sum(not spec.bundled for spec, _taken in steps),
        len(steps),
        tuple(spec.name for spec, _taken in steps),
        -sum(len(taken) for _spec, taken in steps),
    )


def brute_force(task, longest):
    """The best of every sequence of stages up to a length, by trying them all; a state is not visited twice."""
    best = None

    def walk(kind, traits, family, consumed, steps, seen):
        nonlocal best
        if best is not None and sum(spec.cost.start for spec, _taken in steps) > best[0]:
            return
        if kind is not None and task.must <= consumed and kind.serves(task.goal) and task.wanted <= traits:
            key = key_of(task, steps)
            best = key if best is None else min(best, key)
        if len(steps) == longest:
            return
        for spec, taken, after in followers(task, kind, traits, family, consumed):
            state = (str(spec.produces), (traits - spec.drops) | spec.adds, after, consumed | taken)
            if state not in seen:
                walk(spec.produces, *state[1:], [*steps, (spec, taken)], seen | {state})

    walk(None, frozenset(), 0, frozenset(), [], frozenset())
    return best


LONGEST = 6


@settings(max_examples=600, deadline=None)
@given(tasks())
def test_the_path_is_that_of_brute_force_in_its_cost_and_among_equal_costs(task):
    path = solve(task)
    best = brute_force(task, LONGEST)
    if path is None:
        assert best is None
        return
    found = key_of(task, [(step.spec, step.consumes) for step in path.steps])
    assert found[0] == path.seconds
    assert found == best or (len(path.steps) > LONGEST and (best is None or found < best))
    consumed = [name for step in path.steps for name in step.consumes]
    assert len(set(consumed)) == len(consumed)
    assert task.must <= set(consumed)
