# SPDX-License-Identifier: GPL-3.0-or-later
"""The codecs of both generations keep the contracts that any plugin's must."""

from __future__ import annotations

from typing import ClassVar

from dasflex_core.testing import DecoderContract, FormatterContract, golden
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder

PLUGIN = "dasflex_das.plugin"


def written(encoder):
    """The golden streams with records that the encoder can hold, as bytes."""
    from dasflex_core.arrays import Records
    from dasflex_core.errors import QueryError

    found = {}
    for name, items in golden.streams().items():
        stage = encoder()
        try:
            chunks = [chunk for item in items for chunk in stage.feed(item)]
        except QueryError:
            continue
        if any(isinstance(item, Records) for item in items):
            found[name] = b"".join([*chunks, *stage.finish()])
    return found


class TestDas2Decoder(DecoderContract):
    decoder = Das2Decoder
    plugin = PLUGIN

    def streams(self):
        texts = {f"{name}, text": stream for name, stream in written(Das2TextEncoder).items()}
        return {**written(Das2BinaryEncoder), **texts}


class TestDas3Decoder(DecoderContract):
    decoder = Das3Decoder
    plugin = PLUGIN

    def streams(self):
        texts = {f"{name}, text": stream for name, stream in written(Das3TextEncoder).items()}
        return {**written(Das3BinaryEncoder), **texts}


class TestDas2Binary(FormatterContract):
    formatter = Das2BinaryEncoder
    plugin = PLUGIN


class TestDas2Text(FormatterContract):
    formatter = Das2TextEncoder
    options: ClassVar = {"secfrac": 3, "sigdigit": 8}
    plugin = PLUGIN


class TestDas3Binary(FormatterContract):
    formatter = Das3BinaryEncoder
    plugin = PLUGIN


class TestDas3Text(FormatterContract):
    formatter = Das3TextEncoder
    options: ClassVar = {"secfrac": 3, "sigdigit": 8}
    plugin = PLUGIN
