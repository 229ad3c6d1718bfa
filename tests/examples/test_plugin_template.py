# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin to copy, as a stranger has it: two wheels in a fresh environment, its own tests, and a server.

The environment holds the two wheels and nothing else. What dasflex depends on is read from where these tests have it,
so that nothing is fetched; what is found first there are the wheels.
"""

from __future__ import annotations

import csv
import io
import os
import site
import subprocess
import sys
import wave
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "examples" / "plugin_template"
RATE = 28_800
RANGE = "time=1979-03-01T12:27:00/1979-03-01T12:27:01"


def done(*words: str | Path, **more) -> str:
    """The standard output of a program that must succeed, run where no module is found by chance."""
    command, where = [str(each) for each in words], {"cwd": TEMPLATE.parent, **more}
    told = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **where)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> list[Path]:
    """The wheels of dasflex and of the template, built now."""
    target = tmp_path_factory.mktemp("wheels")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q")
    for project in (ROOT, TEMPLATE):
        done(*pip, "--no-deps", "--no-index", "--no-build-isolation", "-w", target, project)
    return sorted(target.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory) -> Path:
    """The programs of a fresh environment in which pip installed the wheels."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    done(sys.executable, "-m", "venv", "--without-pip", place)
    python = place / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "-q")
    done(*pip, "--no-deps", "--no-index", *wheels)
    own = Path(done(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    known = [each for each in dict.fromkeys([*site.getsitepackages(), *sys.path]) if each.endswith("site-packages")]
    (own / "what_dasflex_needs.pth").write_text("\n".join(known) + "\n", encoding="utf-8")
    return place / "bin"


@pytest.fixture(scope="module")
def environ(tmp_path_factory) -> dict[str, str]:
    """The variables of a user who has nothing yet, and none of this environment."""
    home = str(tmp_path_factory.mktemp("home"))
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("DASFLEX_", "PYTHON", "XDG_"))}
    return {**kept, "HOME": home, "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def server(installed, environ):
    """The address of a server that the fresh environment runs."""
    command = [installed / "dasflex", "serve", "--port", "0", "--no-websocket"]
    where = {"env": environ, "cwd": environ["HOME"]}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **where) as process:
        line = process.stdout.readline()
        assert line.startswith("Serving "), process.communicate(timeout=20)
        yield f"{line.split()[3]}source/examples/waveform/"
        process.terminate()
        process.communicate(timeout=20)


def fetched(address: str) -> bytes:
    """The body of an answer that must be whole."""
    with urlopen(address, timeout=60) as answer:  # noqa: S310  the address is that of the server under test
        assert answer.status == 200
        return answer.read()


def rows(address: str) -> np.ndarray:
    """The numbers of a CSV answer, the header and the first column aside."""
    _head, *lines = csv.reader(io.StringIO(fetched(address).decode()))
    return np.array([[float(each) for each in line[1:]] for line in lines])


@pytest.fixture(scope="module")
def samples(server) -> np.ndarray:
    """The waveforms as they are stored, of shape (records, 1600)."""
    found = rows(f"{server}data.csv?{RANGE}")
    assert found.shape == (17, 1600)
    return found


def test_the_wheel_holds_one_module_and_its_licence(wheels):
    import zipfile

    [template] = [each for each in wheels if each.name.startswith("dasflex_template")]
    names = {name.rpartition("/")[2] for name in zipfile.ZipFile(template).namelist()}
    assert names == {"dasflex_template.py", "LICENSE", "METADATA", "WHEEL", "RECORD", "entry_points.txt"}


def test_what_runs_are_the_wheels(installed, environ):
    code = "import dasflex_core, dasflex_csv, dasflex_template as t; print(dasflex_core.__file__, dasflex_csv.__file__, t.__file__)"
    files = done(installed / "python", "-c", code, env=environ).split()
    assert all(Path(each).is_relative_to(installed.parent) for each in files)
    listed = done(installed / "dasflex", "plugins", env=environ)
    assert "template (dasflex-template 1.0, dasflex_template, for plugin API 1)\n  reducer band-power\n" in listed
    assert "failed" not in listed


def test_the_tests_of_the_template_pass_where_it_is_installed(installed, environ, tmp_path):
    """With nothing of its tree to be imported but the tests."""
    (tmp_path / "test_template.py").write_bytes((TEMPLATE / "tests" / "test_template.py").read_bytes())
    words = ("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path)
    told = done(installed / "python", *words, env=environ, cwd=tmp_path)
    assert " passed" in told
    assert "skipped" not in told


def test_voyager_is_heard_at_its_own_rate(server, samples):
    with wave.open(io.BytesIO(fetched(f"{server}data.wav?{RANGE}"))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        heard = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    low, high = samples.min(), samples.max()
    assert high > low
    scaled = (samples.ravel() - (low + high) / 2) / ((high - low) / 2) * 32767
    assert np.array_equal(heard, np.rint(scaled.astype("f4")))
    assert (heard.min(), heard.max()) == (-32767, 32767)


def test_the_real_bow_shock_is_heard(installed, environ, test_data, tmp_path):
    """Four frames of Voyager 1 of 800 lines each, 3 minutes in all; the samples of a line as its pixels have them."""
    folder, target = test_data / "voyager", tmp_path / "shock.wav"
    words = ("get", "Examples/Waveform", "1979-03-01T12:26:11/1979-03-01T12:29:24", "-o", target)
    done(installed / "dasflex", *words, env={**environ, "DASFLEX_VOYAGER_DATA": str(folder)})
    with wave.open(str(target)) as sound:
        assert sound.getframerate() == RATE
        heard = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 1600)
    files = sorted(folder.glob("VG1_*.DAT"))
    assert len(files) == 4
    assert heard.shape == (3200, 1600)
    for place, file in enumerate(files):
        pixels = np.frombuffer(file.read_bytes(), "u1")[400 * 1024 + 220 : 400 * 1024 + 1020]  # line 400
        counts = np.stack([pixels >> 4, pixels & 15], axis=1).ravel()
        assert np.array_equal(heard[800 * place + 399], np.rint((counts - np.float32(7.5)) * np.float32(32767 / 7.5)))


def test_the_media_type_and_the_name_of_the_file_are_those_of_sound(server):
    with urlopen(f"{server}flex?{RANGE}&format.type=wav", timeout=60) as answer:  # noqa: S310  as above
        assert answer.headers["Content-Type"] == "audio/wav"
        assert ".wav" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("length", [512, 1024, 1600])
def test_the_power_in_a_band_of_a_waveform_is_that_of_numpy(server, samples, length):
    """Of a Hann window, the mean taken away, at the frequencies of [1000, 5000) Hz; one spectrum or more a record."""
    found = rows(f"{server}data.csv?{RANGE}&dft.length={length}&calc.band.min=1000&calc.band.max=5000")[:, 0]
    assert found == pytest.approx(power(samples, length, 1000, 5000), rel=1e-5)
    assert len(set(found)) > 2


def test_a_band_of_a_waveform_needs_no_word_of_the_transform(server, samples):
    """The band asks for transforms of 1024 samples, and the plan says so."""
    address = f"{server}flex?{RANGE}&calc.band.min=1000&calc.band.max=5000&format.type=csv"
    assert rows(address)[:, 0] == pytest.approx(power(samples, 1024, 1000, 5000), rel=1e-5)
    plan = fetched(address.replace("/flex?", "/plan?")).decode()
    assert "spectral-density" in plan
    assert "dft.length=1024 was not given; band-power asks for it" in plan


def power(samples: np.ndarray, length: int, low: float, high: float) -> np.ndarray:
    """The power in [low, high) of each segment of each record, by numpy alone."""
    segments = samples[:, : samples.shape[1] // length * length].reshape(-1, length)
    window = np.hanning(length)
    transformed = np.fft.rfft((segments - segments.mean(axis=1, keepdims=True)) * window)
    density = 2 * np.abs(transformed) ** 2 / (RATE * (window**2).sum())
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    return density[:, (frequency >= low) & (frequency < high)].sum(axis=1) * RATE / length


def test_what_is_no_waveform_is_no_sound(server):
    with pytest.raises(HTTPError) as refused:
        fetched(f"{server.replace('waveform', 'random')}data.wav?time=2017-01-01/2017-01-02")
    with refused.value as answer:
        assert answer.code == 400
        assert b"wav needs waveform" in answer.read()
