# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream types: what flows between two stages, and what is known of the data in it.

A type is `kind/version/variant`, such as `das/2/binary`, `das/3`, `csv` or `arrays`, and a set of traits. A blank
part means *unknown* in what a stage produces and *any* in what a stage accepts.
"""

from __future__ import annotations

from dataclasses import field, replace

from dasflex_core.errors import ConfigError
from dasflex_core.values import dataclass

__all__ = ["ARRAYS", "AXIS", "TRAITS", "StreamType", "StreamTypeInfo", "check_traits"]

#: What may be known of the data of a stream, beside `axis:NAME`.
TRAITS: dict[str, str] = {
    "waveform": "each record holds a short, evenly sampled time series (reference and offset)",
    "spectra": "each record holds values over an axis of frequency",
    "scatter": "values at positions that follow no grid",
    "sampled": "records follow one another at a cadence; averages over time mean something",
    "ragged": "the length of a record's values varies",
    "strings": "some values are text",
    "finite": "the stream ends by itself",
    "live": "the stream follows the present",
    "one": "the stream holds one dataset",
}
#: The prefix of the traits that name an axis which values depend on, such as `axis:frequency`.
AXIS = "axis:"


def check_traits(traits: frozenset[str], where: str) -> frozenset[str]:
    """The traits themselves, if all are known; else a `ConfigError` that names `where` and the unknown one."""
    for trait in sorted(traits):
        if trait not in TRAITS and not trait.startswith(AXIS):
            known = ", ".join([*TRAITS, AXIS + "NAME"])
            raise ConfigError(f"{where}: there is no trait {trait!r}; the traits are {known}", kind="config.bad-value")
    return traits


@dataclass(frozen=True, slots=True)
class StreamType:
    """What flows between two stages: `kind`, `version`, `variant` (blank: unknown, or any), and the data's traits."""

    kind: str
    version: str = ""
    variant: str = ""
    traits: frozenset[str] = field(default=frozenset())

    @classmethod
    def parse(cls, text: str) -> StreamType:
        """The type that `text` writes: one to three parts between slashes. Raises `ConfigError` for anything else."""
        parts = text.strip().split("/")
        if not parts[0] or len(parts) > 3:
            raise ConfigError(f"{text!r} is no stream type; one is written like das/2/binary", kind="config.bad-value")
        kind, version, variant = (*parts, "", "")[:3]
        return cls(kind, version, variant)

    def __str__(self) -> str:
        return f"{self.kind}/{self.version}/{self.variant}".rstrip("/")

    def serves(self, wanted: StreamType) -> bool:
        """Whether a stream of this (produced) type may be given to what accepts `wanted`. Traits do not count."""
        return (
            self.kind == wanted.kind and wanted.version in ("", self.version) and wanted.variant in ("", self.variant)
        )

    def with_traits(self, traits: frozenset[str]) -> StreamType:
        """The same type with other traits."""
        return replace(self, traits=traits)


#: The in-memory stream that in-process stages exchange.
ARRAYS = StreamType("arrays")


@dataclass(frozen=True, slots=True)
class StreamTypeInfo:
    """What a plugin registers of a stream type that leaves the process.

    `media_type` and `suffix` (without its dot) are for HTTP and for file names. A type without a suffix is given by a
    protocol of its plugin only: no list offers it. `text` says that a person can read
    it; `many` that it holds more than one dataset. `framer`, `problem` and `comment` are `module:name` of a `Framer`
    class, of a function `(kind, message) -> bytes` that writes a failure in-band, and of a function
    `(type, source, text) -> bytes` that writes a comment; blank where the format has none. `failure` is like `problem`,
    but writes a whole answer that holds nothing else.

    `header` is a function `(later) -> bytes` that writes the stream header of an answer of which nothing is known yet;
    given the header that the reader wrote later, it gives what of that is still to be said. `amend` is a function
    `(header, facts) -> bytes` that adds to the packet of a stream header what the server knows of the answer, by the
    names of parameters. `verify` is what makes a `StreamVerifier` (`dasflex_core.verdicts`) of the format.

    `limit` is the key of the configuration that says how many bytes an answer may have, for formats that are made as a
    whole before the first byte is sent; blank where there is none.
    """

    type: StreamType
    title: str
    media_type: str
    suffix: str
    text: bool = False
    many: bool = True
    framer: str = ""
    problem: str = ""
    comment: str = ""
    failure: str = ""
    header: str = ""
    amend: str = ""
    verify: str = ""
    limit: str = ""
