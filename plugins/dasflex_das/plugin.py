# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: das2 and das3 stream types, the stages that read and write them, the `das2` convention.

The declarations are written out here, so that finding the plugins imports neither numpy nor a codec. Tests compare
them with what the classes themselves declare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import ClassicProgram, Convention, DefinitionTable, ReaderKind, hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

_KEEP = ParamSpec(
    "format.das.keep",
    mode="modifier",
    type="boolean",
    default="false",
    title="Whether text stays text",
    help="Else it does so beside binary planes only",
    attribute="keep",
)
_SECFRAC = ParamSpec(
    "format.secfrac",
    mode="offered",
    type="integer",
    low=0,
    high=9,
    title="Digits of seconds",
    help="Digits behind the second of times",
    attribute="secfrac",
)
_SIGDIGIT = ParamSpec(
    "format.sigdigit",
    mode="offered",
    type="integer",
    low=2,
    high=17,
    title="Significant digits",
    help="Digits of real numbers",
    attribute="sigdigit",
)

STAGES = (
    StageSpec(
        name="das1-decode",
        title="Das1 data, as their definition describes them, to arrays",
        accepts=StreamType("das", "1"),
        produces=ARRAYS,
        factory="dasflex_das.das1_decoder:Das1Decoder",
        reads=("read.time.min", "read.time.max"),
        tells="dasflex_das.das1_facts:told",
        cost=Cost(per_gb=1.0),
    ),
    StageSpec(
        name="das2-decode",
        title="Das2 streams, binary and text, to arrays",
        accepts=StreamType("das", "2"),
        produces=ARRAYS,
        factory="dasflex_das.das2_decoder:Das2Decoder",
        cost=Cost(per_gb=1.0),
    ),
    StageSpec(
        name="das2-binary",
        title="Arrays to das2 in the binary form",
        accepts=ARRAYS,
        produces=StreamType("das", "2", "binary"),
        factory="dasflex_das.das2_encoder:Das2BinaryEncoder",
        params=(_KEEP,),
        cost=Cost(per_gb=1.0),
    ),
    StageSpec(
        name="das2-text",
        title="Arrays to das2 in the text form, which people can read",
        accepts=ARRAYS,
        produces=StreamType("das", "2", "text"),
        factory="dasflex_das.das2_encoder:Das2TextEncoder",
        params=(_SECFRAC, _SIGDIGIT),
        cost=Cost(per_gb=6.0),
    ),
    StageSpec(
        name="das3-decode",
        title="Das3 streams, binary and text, to arrays",
        accepts=StreamType("das", "3"),
        produces=ARRAYS,
        factory="dasflex_das.das3_decoder:Das3Decoder",
        cost=Cost(per_gb=1.0),
    ),
    StageSpec(
        name="das3-binary",
        title="Arrays to das3 in the binary form: encodings stay as they were, times in text become TT2000",
        accepts=ARRAYS,
        produces=StreamType("das", "3", "binary"),
        factory="dasflex_das.das3_encoder:Das3BinaryEncoder",
        cost=Cost(per_gb=1.0),
    ),
    StageSpec(
        name="das3-text",
        title="Arrays to das3 in the text form, which people can read",
        accepts=ARRAYS,
        produces=StreamType("das", "3", "text"),
        factory="dasflex_das.das3_encoder:Das3TextEncoder",
        params=(_SECFRAC, _SIGDIGIT),
        cost=Cost(per_gb=8.0),
    ),
)


_VERIFY = "dasflex_das.verify_checking:DasVerifier"


def _stream_type(version: str, variant: str, media_type: str, suffix: str, messages: str) -> StreamTypeInfo:
    """One das stream type; `messages` is the module that writes its problems and comments."""
    return StreamTypeInfo(
        StreamType("das", version, variant),
        f"das{version} stream" + (" as text" if variant == "text" else ""),
        media_type,
        suffix,
        text=variant == "text",
        framer=f"dasflex_das.das{version}_framing:Das{version}Framer",
        problem=f"dasflex_das.{messages}:problem_packet",
        comment=f"dasflex_das.{messages}:comment_packet",
        failure=f"dasflex_das.{messages}:error_document",
        header=f"dasflex_das.{messages}:early_header",
        amend=f"dasflex_das.das{version}_amending:amended",
        verify=_VERIFY,
    )


#: Media types and suffixes as clients know them (the das stream formats, MIME types).
STREAM_TYPES = (
    StreamTypeInfo(StreamType("das", "1"), "das1 data", "application/octet-stream", "bin", many=False),
    StreamTypeInfo(
        StreamType("das", "1", "tagged"), "tagged das1 data", "application/vnd.das2.das1stream", "d1s", many=False
    ),
    _stream_type("2", "binary", "application/vnd.das2.das2stream", "d2s", "das2_messages"),
    _stream_type("2", "text", "text/vnd.das2.das2stream; charset=utf-8", "d2t", "das2_messages"),
    _stream_type("3", "binary", "application/vnd.das.stream", "d3b", "das3_messages"),
    _stream_type("3", "text", "text/vnd.das.stream; charset=utf-8", "d3t", "das3_messages"),
    StreamTypeInfo(
        StreamType("das", "3", "xml"),
        "das3 XML document",
        "application/vnd.das.doc+xml",
        "d3x",
        text=True,
        verify=_VERIFY,
    ),
    # Nothing converts a QStream: files called .qds hold whatever a reader writes, which need not say how.
    StreamTypeInfo(StreamType("qstream"), "QStream", "application/vnd.das2.qstream", "qds"),
    StreamTypeInfo(StreamType("qstream", "", "binary"), "QStream", "application/vnd.das2.qstream", "qds"),
    StreamTypeInfo(
        StreamType("qstream", "", "text"), "QStream as text", "text/vnd.das2.qstream; charset=utf-8", "qdt", text=True
    ),
)

DAS2_CONVENTION = Convention(
    name="das2",
    title="das2 clients: start_time, end_time, resolution, interval, params, ascii",
    translate="dasflex_das.convention:translate",
    lenient=True,
    goal="das/2",
    reads=("qstream",),
    spells=(
        ("read.time.min", "start_time"),
        ("read.time.max", "end_time"),
        ("bin.time.max", "resolution"),
        ("read.time.inter", "interval"),
    ),
)

#: What a definition says of das1 data, in the words of DSDF files (the das utilities, das1 helpers).
DAS1_TABLE = DefinitionTable(
    "das1",
    "What das1 data are, which have no header",
    (
        *("form", "items", "ny", "x_parameter", "x_unit", "x_sample_width", "y_parameter", "y_unit", "y_fill"),
        *("y_coordinate", "z_parameter", "z_unit", "z_fill"),
        *("spacecraft", "spacecraft_id", "instrument", "instrument_id"),
    ),
)

DAS2_SERVERS = ReaderKind(
    "das2-server", "Sources of other das2 servers", "url", "dasflex_das.remote_binding:bind", scheme="das2"
)

CLASSIC_PROGRAMS = (
    ClassicProgram(
        "das2_from_das1",
        "Das1 data to das2, by a DSDF",
        "dasflex_das.classic_das1:from_das1",
        ("das1-decode", "das2-binary"),
        files=True,
    ),
    ClassicProgram(
        "das2_from_tagged_das1",
        "Tagged das1 data to das2",
        "dasflex_das.classic_das1:from_tagged_das1",
        ("das1-decode", "das2-binary"),
        files=True,
    ),
    ClassicProgram(
        "das2_ascii", "Das2 streams to das2 as text", "dasflex_das.classic:ascii_words", ("das2-decode", "das2-text")
    ),
    ClassicProgram(
        "das3_text", "Das streams to das3 as text", "dasflex_das.classic:text_words", ("das3-decode", "das3-text")
    ),
)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers decoders and encoders of both generations."""
    for stage in STAGES:
        register(stage)


@hookimpl
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers das2 and das3, binary and text."""
    for info in STREAM_TYPES:
        register(info)


@hookimpl
def dasflex_conventions(register: Callable[[Convention], None]) -> None:
    """Registers the `das2` convention."""
    register(DAS2_CONVENTION)


@hookimpl
def dasflex_definition_tables(register: Callable[[DefinitionTable], None]) -> None:
    """Registers the table of das1 data."""
    register(DAS1_TABLE)


@hookimpl
def dasflex_reader_kinds(register: Callable[[ReaderKind], None]) -> None:
    """Registers the reader of other das2 servers."""
    register(DAS2_SERVERS)


@hookimpl
def dasflex_classic_programs(register: Callable[[ClassicProgram], None]) -> None:
    """Registers the classic programs that write text, and those that read das1."""
    for program in CLASSIC_PROGRAMS:
        register(program)


@hookimpl
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers `dasflex verify`."""
    from dasflex_das.verify_command import verify

    register(verify)
