# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule of the definition file, by a definition that breaks it; the JSON Schema sees what can be seen key by key."""

from __future__ import annotations

import tomllib

import jsonschema
import pytest

from dasflex_core.catalog.read_toml import read_text
from dasflex_core.catalog.schema import source_schema
from dasflex_core.errors import ConfigError


@pytest.fixture(scope="module")
def schema():
    """The validator of the schema of definitions."""
    return jsonschema.Draft202012Validator(source_schema())


# One mutation a rule. The line at which the fault must be found ends in `#!`.
# name of the rule; what is replaced in the full definition; by what; key; part of the message; kind; whether the
# JSON Schema sees it too.
BAD, UNKNOWN, MISSING = "config.bad-value", "config.unknown-key", "config.missing"
LIVE = """[[reader]]
live    = true
command = "follow #[read.antenna] #[read.time.inter # @ #] #[read.frequency.min # @ #] #[read.since # @ #]"
"""
TITLE = 'title   = "Every key of the format"\n'
MUTATIONS = [
    ("unknown key", "label   = ", "lable   = ", "lable", "no key 'lable'. Did you mean label", UNKNOWN, True),
    ("unknown key of a table", 'realm = "Lab"', 'relam = "Lab" #!', "access.relam", "Did you mean realm", UNKNOWN, True),
    ("unknown table", "[limits]\n", "[limit] #!\n", "limit", "Did you mean limits", UNKNOWN, True),
    ("unknown key far from all", "slow     = ", "zzz = ", "live.zzz", "Known here are single, linger", UNKNOWN, True),
    ("unknown family", "dft.length = 800", "dtf.length = 800 #!", "default.dtf", "Did you mean dft", UNKNOWN, True),
    ("unknown key of an item", 'id    = "600s"', 'ids   = "600s" #!', "hapi[1].ids", "Did you mean id", UNKNOWN, True),
    ("title missing", TITLE, "", "title", "is missing: what the source is", MISSING, True),
    ("title of a wrong type", TITLE, "title = 5 #!\n", "title", "must be text in quotes, not 5", BAD, True),
    ("title empty", TITLE, 'title = "  " #!\n', "title", "must not be empty", BAD, True),
    ("contact missing", '[contacts]\ntechnical  = "A <a@example.org>"', "[contacts] #!", "contacts.technical", "is missing: write who", MISSING, False),
    ("flag as text", "listed  = false", 'listed = "no" #!', "listed", "true or false, without quotes", BAD, True),
    ("id with a blank", 'id      = "Lab/Full"', 'id = "Lab/Fu ll" #!', "id", "is no id; it has letters", BAD, True),
    ("id reserved", 'id      = "Lab/Full"', 'id = "Lab/FLEX" #!', "id", "cannot end in 'flex'", BAD, False),
    ("id climbing out", 'id      = "Lab/Full"', 'id = "../Full" #!', "id", "begin with no full stop", BAD, False),
    ("id too long", 'id      = "Lab/Full"', f'id = "{"x" * 64}" #!', "id", "has 64 characters; clients can take 63", BAD, True),
    ("former id wrong", '["Lab/Old",', '["Lab//Old", #!\n', "was", "'Lab//Old' is no id", BAD, False),
    ("doi as an address", '"10.5555/abc"', '"https://doi.org/10.5555/abc" #!', "cite.doi", "without https://doi.org/", BAD, True),
    ("spase id wrong", '"spase://', '"spice://', "cite.spase", "is no SPASE id", BAD, True),
    ("two kinds of a reader", "exact     = false", 'files = "x.cdf" #!', "reader[0].files", "exactly one of command, files, source and url", BAD, True),
    ("no kind of a reader", "[[reader]]\nlive    = true\ncommand =", "[[reader]] #!\nlive    = true\ntime =", "reader[1]", "is exactly one of command, files", MISSING, True),
    ("writes missing", f'{LIVE}writes  = "das/2"\n', LIVE.replace("]]", "]] #!"), "reader[1].writes", "is missing: 'command' needs it", MISSING, True),
    ("writes wrong", 'writes    = "das/2/text"', 'writes = "a/b/c/d" #!', "reader[0].writes", "is no stream type", BAD, True),
    ("command malformed", 'command = "/usr/bin/average.sh', 'command = "a; b', "stage[0].command", "has no meaning without a shell", BAD, False),
    ("environment malformed", '"#[env.DATA # @ # data]/*.dat"', '"#[read.data]/*.dat" #!', "reader[0].changed", "only #[env.NAME]", BAD, False),
    ("rate malformed", '"10 packet/s of 4 kB"', '"10 packets" #!', "reader[0].rate", '"10 packet/s of 4 kB"', BAD, True),
    ("variable set wrong", '{ TZ = "UTC"', '{ "T Z" = "UTC"', "reader[0].set_env", "is no name of a variable", BAD, True),
    ("variable passed wrong", '"LANG"]', '"LA-NG"] #!', "reader[0].pass_env", "is no name of a variable", BAD, True),
    ("variable of the client passed", '"LANG"]', '"HTTP_PROXY"] #!', "reader[0].pass_env", "is the client's, not the server's", BAD, False),
    ("readers of one name", "live    = true\ncommand", 'name = "archive" #!\ncommand', "reader[1].name", "is the name of another reader", BAD, False),
    ("option not mentioned", "[options.noise]", "[options.moise] #!\n[options.noise]", "options.moise", "no command mentions #[read.moise]", BAD, False),
    ("parameter that is no option", "#[read.noise # -n #]", "#[read.noise # -n #] #[read.moise # -m #]", "reader[0].command", "neither a canonical parameter nor an option; add [options.moise]. Did you mean read.noise", BAD, False),
    ("parameter of no family", "#[bin.time.max]", "#[bni.time.max]", "stage[0].command", "no family 'bni' among read, dft, calc, bin, view, format. Did you mean bin", BAD, False),
    ("option with a canonical name", "[options.noise]", "[options.data] #!\n[options.noise]", "options.data", "has a meaning of its own", BAD, False),
    ("option with an underscore", "[options.noise]", "[options.no_ise] #!\n[options.noise]", "options.no_ise", "is no name here", BAD, True),
    ("options without names", "[options.antenna]\n", "[options]\ntitle = 5 #!\n[options.antenna]\n", "options.title", "here stand names, not keys", BAD, True),
    ("type unknown", 'type    = "real"', 'type = "rael" #!', "options.gain.type", "Did you mean real", BAD, True),
    ("default of another type", "default = 3", "default = true #!", "options.gain.default", "must not be true or false", BAD, False),
    ("default outside of the range", "default = 3", "default = 20 #!", "options.gain.default", "outside of the option's range", BAD, False),
    ("default that is no value", 'default = "Eu"', 'default = "Eux" #!', "options.antenna.default", "none of the option's values. Did you mean Eu", BAD, False),
    ("default that is no time", 'default = "2020-06"', 'default = "June" #!', "options.since.default", "no value of type 'time'", BAD, False),
    ("values and range", 'default = "Eu"', 'range = "1 to 2" #!', "options.antenna.range", "no more than 'values' does", BAD, False),
    ("range of a flag", "default = false\n", 'default = false\nrange = "1 to 2" #!\n', "options.noise.range", "for numbers and times", BAD, False),
    ("range of an option with units", '"-10 to 20"', '"-10 dB to 20 dB" #!', "options.gain.range", "no range of values of type 'real'", BAD, False),
    ("range the wrong way round", '"-10 to 20"', '"20 to -10" #!', "options.gain.range", "the lower number first", BAD, False),
    ("range of time the wrong way round", '"2015-09-01 to now"', '"2015-09-01 to 2014-01-01" #!', "coords.time.range", "is empty: it begins", BAD, False),
    ("range that is none", '"2015-09-01 to now"', '"2015-09-01" #!', "coords.time.range", "is no range of time", BAD, True),
    ("range of time in other units", '"2015-09-01 to now"', '"5 s to 10 s" #!', "coords.time.range", "no", BAD, False),
    ("quantity without unit", 'cadence  = "62.5 ms"', "cadence = 62.5 #!", "coords.time.cadence", "with its unit", BAD, True),
    ("quantity with another unit", 'cadence  = "62.5 ms"', 'cadence = "62.5 km" #!', "coords.time.cadence", "'km' is no unit of time", BAD, False),
    ("quantity of nothing", 'cadence  = "62.5 ms"', 'cadence = "0 s" #!', "coords.time.cadence", "longer than nothing", BAD, False),
    ("interval below its minimum", 'min = "100 ms"', 'min = "1 h"', "coords.time.interval.default", "below the shortest", BAD, False),
    ("interval that no command takes", " #[read.time.inter # @ #]", "", "coords.time.interval", "no command mentions #[read.time.inter]", BAD, False),
    ("unknown key of an interval", 'min = "100 ms"', 'mim = "100 ms"', "coords.time.interval.mim", "Did you mean min", UNKNOWN, True),
    ("size not above nothing", "size   = 512", "size = 0 #!", "coords.frequency.size", "must be 1 or more", BAD, True),
    ("size broken", "size   = 512", "size = 1.5 #!", "coords.frequency.size", "a whole number", BAD, True),
    ("bounds the wrong way round", "valid  = [10, 4e4]", "valid = [4e4, 10] #!", "coords.frequency.valid", "lower number first", BAD, False),
    ("bounds of one number", "valid  = [10, 4e4]", "valid = [10] #!", "coords.frequency.valid", "must be two numbers", BAD, True),
    ("bounds without end", "valid  = [10, 4e4]", "valid = [10, inf] #!", "coords.frequency.valid", "ordinary size", BAD, False),
    ("scale unknown", 'scale  = "log"', 'scale = "lin" #!', "coords.frequency.scale", "one of linear, log, not 'lin'. Did you mean linear", BAD, True),
    ("tags not listed", 'tags   = [10, 20.5, "x"]', 'tags = "x" #!', "coords.frequency.tags", "a list of numbers or texts", BAD, True),
    ("period below nothing", "period = 360", "period = -360 #!", "coords.phase.period", "must be above 0", BAD, True),
    ("axes named twice", '["time", "frequency"]', '["time", "time"]', "data.psd.axes", "names 'time' twice", BAD, True),
    ("request not in a family", 'bin.stats = "min,max"', 'stats = "min,max" #!', "default.stats", "no key 'stats'", UNKNOWN, True),
    ("request with a list", 'bin.stats = "min,max"', 'bin.stats = ["min", "max"] #!', "default.bin.stats", 'as in a URL, in quotes with commas: "min,max"', BAD, True),
    ("request with a bare time", 'time  = "now-PT10M to forever"', "read.time.min = 2020-01-01 #!", "example[0].read.time.min", "write times in quotes", BAD, True),
    ("request with a wrong time", 'time  = "now-PT10M to forever"', 'read.time.min = "soon" #!', "example[0].read.time.min", "'soon' is no time", BAD, False),
    ("request with times twice", 'read.antenna = "Ev"', 'read.time.max = "now" #!', "example[0].read.time.max", "said twice", BAD, False),
    ("request with half a range", 'time = "2016-10-15/P1D"', 'time.min = "2016-10-15" #!', "example[1].time.min", 'written as time = "A to B"', BAD, True),
    ("request with a moving length", 'time  = "now-PT10M to forever"', 'time = "now/PT10M" #!', "example[0].time", "write both of its ends", BAD, False),
    ("request for no parameter", "bin.time.max = 0.25", "bin = 0.25 #!", "example[1].bin", "'bin' is no parameter", BAD, True),
    ("realm without rules", '[access]\nrealm = "Lab"\nallow =', '[access] #!\nrealm = "Lab"\n#', "access.allow", "is missing: 'realm' needs it", MISSING, True),
    ("rule of access", '"user:joe"', '"users:joe"', "access.allow", "'users:joe' is no rule; one is group:NAME", BAD, True),
    ("age of access", '"age:1y6m"', '"age:1 year"', "access.allow", "is no age", BAD, False),
    ("width of access", '"bin:60s"', '"bin:60"', "access.allow", "has no unit", BAD, False),
    ("block missing", '[[cache.level]]\nblock = "day"\n', "[[cache.level]] #!\n", "cache.level[0].block", "is missing", MISSING, True),
    ("block unknown", 'block = "day"', 'block = "daily" #!', "cache.level[0].block", "one of second, minute, hour, day", BAD, True),
    ("slow unknown", '"disconnect"', '"dissconnect" #!', "live.slow", "Did you mean disconnect", BAD, True),
    ("bytes without unit", '"64 MB"', '"64" #!', "live.keep", "an amount of bytes with its unit", BAD, True),
    ("hapi ids twice", 'id    = "600s"', 'id = "60S" #!', "hapi[1].id", "id of another data set", BAD, False),
    ("hapi id wrong", 'id    = "600s"', 'id = "600 s" #!', "hapi[1].id", "no id of a data set", BAD, True),
    ("stage without command", '[[stage]]\ncommand = "/usr/bin/average.sh #[bin.time.max]"', "[[stage]] #!", "stage[0].command", "is missing", MISSING, True),
]  # fmt: skip


def mutated(full, old, new):
    """The definition with something replaced, and the line at which the fault must be found."""
    assert full.count(old) >= 1, old
    text = full.replace(old, new, 1)
    marked = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("#!")]
    if marked:
        return text, marked[0]
    at = text.index(new) if new else full.index(old)
    return text, text[:at].count("\n") + 1


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[each[0] for each in MUTATIONS])
def test_each_rule_is_kept_and_names_its_place(full, schema, mutation):
    name, old, new, key, message, kind, seen = mutation
    text, number = mutated(full, old, new)
    if name == "interval that no command takes":  # the command is changed, and the interval is at fault
        number = text[: text.index("interval =")].count("\n") + 1
    if name == "title missing":  # from the file itself
        number = 1
    with pytest.raises(ConfigError) as caught:
        read_text(text)
    lines = caught.value.message.splitlines()
    assert len(lines) == 1, caught.value.message
    assert lines[0].startswith(f"source.toml:{number}: {key}: "), lines[0]
    assert message in lines[0]
    assert caught.value.kind == kind
    assert bool(list(schema.iter_errors(tomllib.loads(text)))) == seen
