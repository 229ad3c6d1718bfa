# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral densities of float32 waveforms, decoding and encoding included, as a ratio to md5 of the same bytes.

`python tests/bench/bench_psd.py [MEGABYTES]`: das2 in, das2 out, for 1024 points with a slide of 2 and for 256 points
with a slide of 4. Each figure is the median of five, with the lowest and the highest. Where scipy is installed, its
transform is measured too, as a process that has it would use it.
"""

from __future__ import annotations

import hashlib
import sys
import time
from contextlib import suppress
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from dasflex_core.run.reducing import PerDataset
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder
from dasflex_reduce.spectral_density import SpectralDensity

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 18
RUNS = 5
SAMPLES = 4096
#: What the issue asks, by points, slide, and whether scipy is there.
WANTED = {(1024, 2, False): 0.35, (256, 4, False): 0.10, (1024, 2, True): 0.35, (256, 4, True): 0.20}


def stream(megabytes: int) -> list[bytes]:
    """A das2 stream of waveforms of about so many megabytes, in chunks."""
    head = '<stream version="2.2"><properties String:renderer="waveform"/></stream>'
    body = (
        '<packet><x type="little_endian_real8" units="us2000"/><yscan name="wave" type="little_endian_real4"'
        f' nitems="{SAMPLES}" yUnits="s" yTagInterval="0.0001" yTagMin="0" zUnits="V"/></packet>'
    )
    rows = np.zeros(64, dtype=[("tag", "S4"), ("time", "<f8"), ("wave", "<f4", (SAMPLES,))])
    rows["tag"] = b":01:"
    rows["time"] = np.arange(len(rows)) * 1e6
    rows["wave"] = np.random.default_rng(1).normal(size=(len(rows), SAMPLES))
    data = f"[00]{len(head):06d}{head}[01]{len(body):06d}{body}".encode()
    data += rows.tobytes() * max(1, megabytes * 1_000_000 // rows.nbytes)
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def transform(chunks: list[bytes], length: int, slide: int) -> int:
    """Decodes, transforms and encodes a stream; the bytes that come out."""
    decoder, encoder = Das2Decoder(), Das2BinaryEncoder()
    stage = PerDataset(SpectralDensity.spec, lambda: SpectralDensity(length=length, slide=slide))
    size = 0
    for chunk in chunks:
        for item in decoder.feed(chunk):
            size += sum(len(made) for out in stage.feed(item) for made in encoder.feed(out))
    return size + sum(len(made) for out in stage.finish() for made in encoder.feed(out))


def md5(chunks: list[bytes]) -> str:
    """The digest of the stream: the yardstick."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 if one of them misses what is wanted."""
    chunks = stream(int(arguments[0]) if arguments else 100)
    size = sum(map(len, chunks))
    missed = False
    for (length, slide, with_scipy), wanted in WANTED.items():
        if with_scipy:
            with suppress(ImportError):
                import scipy.fft  # noqa: F401  what is measured is that it is there
            if "scipy.fft" not in sys.modules:
                print(f"  psd {length}/{slide} with scipy: scipy is not installed")
                continue
        pairs = [(seconds(lambda: md5(chunks)), seconds(lambda: transform(chunks, length, slide))) for _ in range(RUNS)]  # noqa: B023  run at once
        yardstick, own = (median(each) for each in zip(*pairs, strict=True))
        ratios = [mine / ours for mine, ours in pairs]
        missed = missed or yardstick / own < wanted
        name = f"psd {length}/{slide} with {'scipy' if with_scipy else 'numpy'}"
        print(
            f"  {name:<24} {size / own / 1e6:8.0f} MB/s  {yardstick / own:6.2f} x md5, wanted {wanted:.2f}"
            f"  ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
