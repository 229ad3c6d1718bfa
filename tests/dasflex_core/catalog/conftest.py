# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions that the tests of the catalog start from."""

from __future__ import annotations

import re

import pytest

from dasflex_core.catalog.documents import Document
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.hookspecs import DefinitionTable

LEAST = """\
title    = "Random numbers between -10 and 10"
contacts = { technical = "Your Name <your.name@yourplace.edu>" }
reader   = { command = "reader #[read.time.min] #[read.time.max]", writes = "das/2" }
example  = [{ time = "2017-01-01 to 2017-03-01" }]
"""

FULL = """\
id      = "Lab/Full"
label   = "Full"
title   = "Every key of the format"
summary = "One of each."
was     = ["Lab/Old", "Lab/Older"]
moved   = "https://example.org/das"
listed  = false

[contacts]
technical  = "A <a@example.org>"
scientific = "B <b@example.org>"

[cite]
doi     = "10.5555/abc"
spase   = "spase://CNES/NumericalData/X"
licence = "CC0-1.0"
text    = "A and B, 2020"

[[reader]]
name      = "archive"
command   = "read #[read.time.min] #[read.time.max] #[read.antenna # -a @ #] #[read.gain # -g @ #] #[read.noise # -n #]"
writes    = "das/2/text"
exact     = false
changed   = "#[env.DATA # @ # data]/*.dat"
rate      = "10 packet/s of 4 kB"
directory = "bin"
set_env   = { TZ = "UTC", DATA = "#[env.DATA # @ #]", EMPTY = "" }
pass_env  = ["HOME", "LANG"]

[[reader]]
live    = true
command = "follow #[read.antenna] #[read.time.inter # @ #] #[read.frequency.min # @ #] #[read.since # @ #]"
writes  = "das/2"

[[stage]]
command = "/usr/bin/average.sh #[bin.time.max]"

[[stage]]
command = "#[python] plot.py #[view.points # @ #]"
accepts = "das/2"
writes  = "png"

[stages]
prefer = ["fast"]
never  = ["bin", "psd"]

[options.antenna]
title   = "Antenna"
values  = { Eu = "Monopole u", Ev = "Monopole v" }
default = "Eu"

[options.gain]
title   = "Gain"
type    = "real"
units   = "dB"
range   = "-10 to 20"
default = 3

[options.noise]
default = false

[options.since]
type    = "time"
range   = "2020-01-01 to 2021-01-01"
default = "2020-06"

[coords.time]
title    = "Time"
label    = "t"
range    = "2015-09-01 to now"
cadence  = "62.5 ms"
interval = { default = "10 min", min = "100 ms" }

[coords.frequency]
units  = "Hz"
scale  = "log"
size   = 512
range  = "10 Hz to 40 kHz"
valid  = [10, 4e4]
tags   = [10, 20.5, "x"]

[coords.phase]
of     = "time"
period = 360

[data]
psd  = { title = "Spectral density", label = "E", axes = ["time", "frequency"], units = "", scale = "log", fill = -1e31 }
temp = { from = "T_1", valid = [-90, 90], warn = [-20, 50.5], default = false, period = 24 }

[default]
bin.stats = "min,max"
dft.length = 800

[[example]]
title = "Now"
time  = "now-PT10M to forever"
read.antenna = "Ev"

[[example]]
time = "2016-10-15/P1D"
read.noise = true
bin.time.max = 0.25

[access]
realm = "Lab"
allow = ["group:lab", "user:joe", "age:1y6m", "bin:60s"]

[cache]
fresh = "2 days"
fill  = true

[[cache.level]]
block = "day"
bin.time.max = 60.0

[live]
single   = true
linger   = "30 s"
catch_up = "10 min"
keep     = "64 MB"
slow     = "disconnect"
watchers = 100

[[hapi]]
id = "60s"
bin.time.max = 60

[[hapi]]
id    = "600s"
title = "Ten minutes"
bin.time.max = 600

[limits]
silence = "5 min"
cpu     = "1 h"
output  = "2 GiB"
at_once = 4
"""


@pytest.fixture(scope="session")
def least():
    """The least definition there can be."""
    return LEAST


@pytest.fixture(scope="session")
def full():
    """A definition with every key in it."""
    return FULL


@pytest.fixture(scope="session")
def contact():
    """What a directory with a technical contact passes on."""
    return (Document("above/_dirinfo_.toml", {"contacts": {"technical": "Above <above@example.org>"}}),)


@pytest.fixture(scope="session")
def plugin_words():
    """The words of definitions with two tables of plugins."""
    return Vocabulary(
        tables=(
            DefinitionTable("cdf", "CDF files", keys=("epoch", "split"), request=True, many=True),
            DefinitionTable("movie", "Movies", keys=("frames",)),
        )
    )


@pytest.fixture(scope="session")
def published(test_data):
    """The TOML files of the published description of the format, eight of them, by their order."""
    page = test_data.parent / "reference" / "definitions.md"
    if not page.is_file():
        pytest.skip(f"the description of the format is not beside the data: {page}")
    return re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
