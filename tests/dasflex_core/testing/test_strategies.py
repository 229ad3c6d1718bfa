# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams from the strategies are sound, and the das formats carry them whole."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import Comment, Dataset, NoData, Records, StreamHeader
from dasflex_core.loading import load
from dasflex_core.testing.comparing import difference, merged, misfit
from dasflex_core.testing.strategies import streams

CODECS = {
    2: ("dasflex_das.das2_encoder:Das2{}Encoder", "dasflex_das.das2_decoder:Das2Decoder"),
    3: ("dasflex_das.das3_encoder:Das3{}Encoder", "dasflex_das.das3_decoder:Das3Decoder"),
}


@given(st.sampled_from([2, 3]).flatmap(streams))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_streams_are_declared_before_their_records_which_fit(items):
    assert isinstance(items[0], StreamHeader)
    known = {}
    for item in items:
        if isinstance(item, Dataset):
            known[item.id] = item
        if isinstance(item, Records):
            assert item.dataset is known[item.dataset.id]
            assert not misfit(item)


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("generation", [2, 3])
def test_the_das_formats_carry_the_streams_made_for_them(generation, form):
    encoder, decoder = (load(path.format(form.title())) for path in CODECS[generation])

    @given(streams(generation=generation, form=form))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def carried(items):
        writing, reading = encoder(), decoder()
        stream = b"".join([*(chunk for item in items for chunk in writing.feed(item)), *writing.finish()])
        found = [*reading.feed(stream), *reading.finish()]
        wanted, read = ([dict(batch.columns) for batch in merged(each)[1]] for each in (items, found))
        assert not difference(wanted, read)
        remarks, told = ([item for item in each if isinstance(item, Comment | NoData)] for each in (items, found))
        assert not difference(remarks, told)

    carried()
