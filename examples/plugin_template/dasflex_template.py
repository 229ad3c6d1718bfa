# SPDX-License-Identifier: Unlicense
"""A plugin for dasflex: waveforms as sound, `format.type=wav`, and the power in a band of spectra, `calc.band.*`.

numpy and what needs it are imported where they are used: a request that does not use the plugin does not pay for them.
"""

from dataclasses import replace

from dasflex_core.errors import QueryError
from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import FileFormatter, Reducer, param
from dasflex_core.streamtype import StreamType, StreamTypeInfo

DASFLEX_API = 1  # the version of the plugin API that this is written for
WAV = StreamTypeInfo(StreamType("wav"), "16-bit sound of a waveform", "audio/wav", "wav", many=False)


def transforms(_request, _source):
    """What a band asks for where there are no spectra yet: so many samples of the waveform for each of them."""
    return {"dft.length": "1024"}


class BandPower(Reducer, needs="spectra", drops="spectra axis:frequency", asks="dasflex_template:transforms"):
    """Power in a band of frequency: a spectral density summed over [low, high)."""

    low: float = param("calc.band.min", units="Hz", low=0, title="Lower edge of the band")
    high: float = param("calc.band.max", units="Hz", low=0, title="Upper edge of the band, which is not in it")

    def dataset(self, dataset):
        """The same dataset, with one number a record in the place of each spectrum."""
        import numpy as np

        from dasflex_core import arrays, units

        density = dataset.first("spectra")
        frequency = np.asarray(density.axis("Hz").values, dtype="f8")
        self.inside = (frequency >= self.low) & (frequency < self.high)
        if self.inside.shape != density.shape or not self.inside.any():
            raise QueryError(f"{density.name} has no fixed frequencies in the band", kind="query.no-plan")
        self.widths = np.gradient(frequency)[self.inside]
        said = {"label": f"Power from {self.low:g} to {self.high:g} Hz", "properties": arrays.Properties()}
        number = {"dtype": np.dtype("f8"), "fill": np.nan, "encoding": None}
        one, hertz = (density.index[0], *[None] * (dataset.rank - 1)), units.multiply(density.units, "Hz")
        self.power = replace(density, index=one, units=hertz, **number, **said)
        self.made = dataset.swap(density, self.power)
        return self.made

    def records(self, batch):
        """The sums, for a whole batch at once; NaN where a value in the band is fill."""
        power = batch.floats(self.power.name)[:, self.inside] @ self.widths
        return replace(batch, dataset=self.made, columns={**batch.columns, self.power.name: power})


class Wav(FileFormatter, produces="wav", needs="waveform", refuses="ragged live", start=0.1, per_gb=5.0):
    """The first waveform as 16-bit sound at its own rate, its extremes at full scale, fill as silence."""

    heard, rate, low, high = None, 0, float("inf"), float("-inf")

    def dataset(self, dataset):
        """Finds the waveform and its rate; other datasets are not heard."""
        from dasflex_core.arrays import traits_of
        from dasflex_core.sampling import cadence_of

        if self.heard in (None, dataset.id) and "waveform" in traits_of([dataset]):
            self.heard, self.waveform = dataset.id, dataset.first("waveform")
            _first, seconds = cadence_of(dataset, self.waveform)
            if self.rate not in (0, rate := round(1 / seconds)):
                raise QueryError("The rate of the samples changes; ask for a shorter range", kind="query.bad-range")
            self.rate = rate

    def records(self, batch):
        """Keeps the samples in a file, since their extremes are known at the end only."""
        import numpy as np

        if batch.dataset.id == self.heard:
            samples = batch.floats(self.waveform.name).ravel()
            self.low, self.high = np.fmin.reduce(samples, initial=self.low), np.fmax.reduce(samples, initial=self.high)
            with (self.scratch / "samples").open("ab") as file:
                samples.astype("f4").tofile(file)
                if file.tell() // 2 > 0xFFFFFFFF - 44:  # the lengths in a WAV file have 32 bits
                    raise QueryError("WAV holds no more than 4 GB; ask for a shorter range", kind="query.bad-range")

    def finish(self):
        """The sound, scaled; without data it is empty."""
        import wave

        import numpy as np

        path, middle, reach = self.scratch / "sound.wav", (self.low + self.high) / 2, (self.high - self.low) / 2
        with (self.scratch / "samples").open("a+b") as file, wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, self.rate or 8000, 0, "NONE", ""))
            file.seek(0)
            while (samples := np.fromfile(file, "f4", 1 << 20)).size:
                scaled = np.rint((samples - middle) * (32767 / (reach or 1)))
                sound.writeframes(np.nan_to_num(scaled).astype("<i2").tobytes())
        return path


@hookimpl
def dasflex_stages(register):
    """What this plugin does."""
    register(BandPower)
    register(Wav)


@hookimpl
def dasflex_stream_types(register):
    """What leaves the server as sound."""
    register(WAV)
