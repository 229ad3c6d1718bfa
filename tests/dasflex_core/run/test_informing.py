# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition says of its variables stands on the datasets that stages see, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from dasflex_core.arrays import Dataset, Records
from dasflex_core.catalog.model import Coord, DataItem, Facts
from dasflex_core.run.informing import informed, with_facts
from dasflex_core.testing import golden
from dasflex_das.das2_encoder import Das2TextEncoder
from dasflex_das.das3_encoder import Das3TextEncoder


def dataset_of(items) -> Dataset:
    return next(item for item in items if isinstance(item, Dataset))


def encoded(encoder, items) -> str:
    return b"".join([*(chunk for item in items for chunk in encoder.feed(item)), *encoder.finish()]).decode()


def test_a_fact_is_on_the_dataset_and_on_that_of_the_records():
    facts = Facts(data={"bx": DataItem(label="East", units="pT", fill="-99", period=360.0, valid=(-180.0, 180.0))})
    items = list(informed(iter(golden.scalars()), facts))
    batch = next(item for item in items if isinstance(item, Records))
    for dataset in (dataset_of(items), batch.dataset):
        bx = dataset["bx"]
        assert (bx.label, bx.units, bx.fill) == ("East", "pT", -99.0)
        assert [bx.properties.text(name) for name in ("period", "yValidMin", "yValidMax", "yLabel")] == [
            "360.0", "-180.0", "180.0", "East",
        ]  # fmt: skip
        assert dataset["by"] == dataset_of(golden.scalars())["by"]


def test_a_das3_dimension_of_one_variable_has_the_facts_itself():
    facts = Facts(
        coords={"frequency": Coord(label="f", scale="log", units="kHz"), "time": Coord(label="UTC", units="s")},
        data={"psd": DataItem(valid=(0.0, 1.0))},
    )
    dataset = with_facts(dataset_of(golden.spectra()), facts)
    frequency = dataset["frequency"]
    assert (frequency.units, frequency.label) == ("kHz", "f")
    assert dataset.dimension(frequency).properties.text("scaleType") == "log"
    assert dataset.dimension(dataset["psd"]).properties.text("validMax") == "1.0"
    assert (dataset["time"].units, dataset["time"].label) == ("TT2000", "UTC"), "a time keeps its epoch"


@pytest.mark.parametrize("items", golden.streams().values(), ids=golden.streams())
def test_what_says_nothing_new_changes_nothing(items):
    if any(isinstance(item, Dataset) for item in items):
        dataset = dataset_of(items)
        said = {
            each.name: DataItem(units=each.units, label=each.label if dataset.generation == 2 else "", fill="")
            for each in dataset.data()
            if not each.label
        }
        assert with_facts(dataset, Facts(data=said)) is dataset
    assert list(informed(iter(items), Facts(data={"elsewhere": DataItem(units="T")}))) == items


def test_facts_are_written_in_both_generations():
    facts = Facts(data={"bx": DataItem(units="pT", fill="-99", period=360.0, scale="log", label="East")})
    for encoder, words in (
        (Das2TextEncoder(), ('units="pT"', 'double:yFill="-99.0"', 'double:period="360.0"', 'String:yLabel="East"')),
        (Das3TextEncoder(), ('units="pT"', 'fill="-99', 'name="period"', "East", "log")),
    ):
        text = encoded(encoder, informed(iter(golden.scalars()), facts))
        for word in words:
            assert word in text, (word, text)


def test_a_fill_that_the_values_cannot_have_is_left_out():
    dataset = with_facts(dataset_of(golden.scalars()), Facts(data={"bx": DataItem(fill="none")}))
    assert dataset["bx"].fill == -1e31


def test_facts_that_change_numbers_are_told_apart_from_words():
    words = Facts(data={"a": DataItem(label="A", title="A", scale="log")})
    numbers = Facts(coords={"f": Coord(units="Hz")}, data={"a": DataItem(fill="0", period=24.0, valid=(0.0, 24.0))})
    assert words
    assert not words.numbers()
    assert [name for name, _text in numbers.numbers()] == [
        "coords.f.units",
        "data.a.fill",
        "data.a.period",
        "data.a.valid",
    ]
    assert not Facts(coords={"time": Coord(cadence=1.0)}, data={"a": DataItem(title="A")})


def test_values_pass_as_they_are():
    items = golden.scalars()
    facts = Facts(data={"bx": DataItem(units="pT")})
    given, told = (
        [each for each in some if isinstance(each, Records)] for some in (items, informed(iter(items), facts))
    )
    for before, after in zip(given, told, strict=True):
        assert all(before[name] is after[name] for name in before.dataset.wire)
        assert np.shares_memory(before["bx"], after["bx"])


def test_facts_are_a_line_of_text_and_back():
    facts = Facts(
        coords={"f": Coord(units="", scale="log", valid=(0.0, 2.5), label="f'")},
        data={"a": DataItem(fill="-99", period=24.0, source="raw_a"), "b": DataItem(title="B")},
    )
    again = Facts.read(facts.text())
    assert again.coords == facts.coords
    assert again.data == {"a": facts.data["a"]}
    for wrong in ("[]", "{", '{"data": {"a": {"colour": "red"}}}', '{"other": {}}'):
        with pytest.raises((ValueError, TypeError)):
            Facts.read(wrong)
