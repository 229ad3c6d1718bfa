# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser, headless, in front of a server in a process of its own; whatever it complains about is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.config import read_config
from dasflex_core.roots import make_root
from dasflex_passwd.users import add_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request

#: A field that is sampled ten times a second, with an hour in which there is nothing, and spectra in two bands.
FIELD = """
title   = "A field of two components"
summary = "Made up, with a gap and with fill."
contacts = { technical = "Somebody <somebody@example.org>" }

[reader]
command = "#[python] reader.py #[read.time.min] #[read.time.max] #[read.note # @ #]"
writes  = "das/2/text"

[coords.time]
range   = "2020-01-01 to 2020-02-01"
cadence = "10 s"

[data]
level = { title = "Level", units = "V m**-1" }
phase = { title = "Phase", units = "degree" }

[options.note]
title = "A note for the reader"

[[example]]
title = "A day with a gap"
time  = "2020-01-01 to 2020-01-02"
"""
READER = """
import math, sys
from datetime import datetime, timedelta, timezone

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body):06d}{body}")

begin, end = (datetime.fromisoformat(text.rstrip("Z")) for text in sys.argv[1:3])
packet("00", '<stream version="2.2"><properties xTagWidth="20 s" xLabel="Time (UTC)" /></stream>\\n')
packet("01", '<packet><x type="time24" units="us2000"/>'
             '<y type="ascii12" units="V m**-1" name="level" group="a">'
             '<properties yLabel="Level (V m!a-1!n)" yScaleType="log" yFill="-1e31" /></y>'
             '<y type="ascii12" units="degree" name="phase"><properties yLabel="Phase" /></y></packet>\\n')
now = begin
while now < end:
    if now.hour != 6:
        seconds = (now - datetime(2020, 1, 1)).total_seconds()
        level = 10 ** (math.sin(seconds / 20000) + 0.5 * math.sin(seconds * 1.7)) if now.hour != 18 else -1e31
        sys.stdout.write(f":01:{now:%Y-%m-%dT%H:%M:%S}.000 {level:11.4e} {(seconds / 100) % 360:11.4e}\\n")
    now += timedelta(seconds=10)
"""

#: Live sources: one that leaves its limits, one that dies, one that stalls, and one that is closed.
LIVE = """
title   = "A bench that {what}"
summary = "Made up: spectra and a level, twenty a second."
contacts = {{ technical = "Somebody <somebody@example.org>" }}
{access}
[reader]
live    = true
command = "#[python] reader.py {what} #[read.word # @ #]"
writes  = "das/2/text"

[options.word]
title = "A word for the reader"

[coords.time]
range = "2020-01-01 to forever"

[coords.frequency]
units = "Hz"

[data.level]
title = "Level"
units = "V"
warn  = [-2, 2]

[data.density]
title = "Density"
units = "V**2 Hz**-1"
axes  = ["time", "frequency"]
warn  = [0, 60]

[live]
single = true
linger = "1 s"

[[example]]
title = "Now"
time  = "now to forever"
"""
#: The level is 5 in the first half of each second, else 1. The density is 100 in the third of 8 channels.
LIVE_READER = """
import math, sys, time
from datetime import datetime, timezone

what = sys.argv[1]

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body):06d}{body}")

packet("00", '<stream version="2.2"><properties xTagWidth="0.05 s" xLabel="Time (UTC)" /></stream>\\n')
packet("01", '<packet><x type="time24" units="us2000"/>'
             '<y type="ascii12" units="V" name="level"><properties yLabel="Level (V)" /></y>'
             '<yscan type="ascii12" nitems="8" yUnits="Hz" zUnits="V**2 Hz**-1" name="density"'
             ' yTags="1,2,3,4,5,6,7,8"><properties yLabel="Frequency (Hz)" zLabel="Density (V!a2!n Hz!a-1!n)" />'
             '</yscan></packet>\\n')
count = 0
while what != "dies" or count < 20:
    now = datetime.now(timezone.utc)
    level = 5 if now.microsecond < 500000 else 1
    text = " ".join(f"{100 if at == 2 else 10 + 4 * at + 2 * math.sin(count / 9):11.4e}" for at in range(8))
    sys.stdout.write(f":01:{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d} {level:11.4e} {text}\\n")
    sys.stdout.flush()
    count += 1
    time.sleep(600 if what == "stalls" and count == 20 else 0.05)
sys.exit(3)
"""


@dataclass
class Watched:
    """A page of the browser, with what it asked and what it complained about."""

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    def heard(self, message: ConsoleMessage) -> None:
        """Notes an error that the browser tells, such as what a policy forbids."""
        if message.type == "error":
            self.errors.append(message.text)

    def failed(self, error: Error) -> None:
        """Notes what a script raised."""
        self.errors.append(str(error))

    def sent(self, request: Request) -> None:
        """Notes a request."""
        self.asked.append(request)

    def go(self, path: str) -> Page:
        """The page at a path of the server."""
        self.page.goto(self.base + path)
        return self.page

    def stands_at(self, path: str) -> None:
        """Waits until the address of the page is a path with its query."""
        self.page.wait_for_url(lambda url: url == self.base + path)

    def plot(self) -> None:
        """Presses the button that plots, and waits until something is drawn."""
        self.page.get_by_role("button", name="Plot", exact=True).click()
        self.drawn()

    def drawn(self) -> None:
        """Waits until what was asked is drawn."""
        self.page.locator("#plot-status", has_text="records").wait_for()
        self.page.locator("#plot:not([aria-busy])").wait_for()

    def data(self) -> list[str]:
        """The requests for data that the page has made."""
        found = (each.url.removeprefix(self.base) for each in self.asked)
        return [each for each in found if each.startswith("/source/") and ("/data." in each or "/flex" in each)]

    def colours(self, selector: str) -> dict[str, int]:
        """How many pixels of each colour a part of the page has on the screen, as the browser itself reads them."""
        from base64 import b64encode

        picture = b64encode(self.page.locator(selector).screenshot()).decode()
        return self.page.evaluate(COUNT, f"data:image/png;base64,{picture}")


COUNT = """async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const found = {};
  for (let at = 0; at < bytes.length; at += 4) {
    const colour = bytes.slice(at, at + 3).join();
    found[colour] = (found[colour] ?? 0) + 1;
  }
  return found;
}"""


def chromium_program() -> str:
    """The browser to test with; without one a test skips, and fails where everything must be tested."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    told = "no chromium to test with: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    program = chromium_program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        yield started
        started.close()


@pytest.fixture(scope="session")
def serving_root() -> Iterator[Callable[[Path], str]]:
    """Starts `dasflex serve` for a root, and gives its address without a slash at its end."""
    started: list[subprocess.Popen[str]] = []
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"

    def start(root: Path) -> str:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", "0", "--config", str(root / "etc" / "dasflex.conf")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        started.append(process)
        return process.stdout.readline().split()[3].rstrip("/")

    yield start
    for each in started:
        each.terminate()
        each.communicate(timeout=20)


def add_live_sources(root: Path) -> None:
    """Puts live sources into a root, below `Made/`."""
    for what in ("warns", "dies", "stalls", "hides"):
        folder = root / "definitions" / "Made" / what.title()
        folder.mkdir(parents=True)
        access = 'access = { realm = "team", allow = ["user:ann"] }' if what == "hides" else ""
        text = dedent(LIVE).format(what=what, access=access)
        (folder / "source.toml").write_text(text, encoding="utf-8")
        (folder / "reader.py").write_text(LIVE_READER, encoding="utf-8")


@pytest.fixture(scope="session")
def server(serving_root, tmp_path_factory) -> str:
    """The address of a server with the examples and a source of lines."""
    root = tmp_path_factory.mktemp("browser") / "root"
    make_root(root, "Test Server")
    folder = root / "definitions" / "Made" / "Field"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(dedent(FIELD), encoding="utf-8")
    (folder / "reader.py").write_text(READER, encoding="utf-8")
    add_live_sources(root)
    add_user(read_config(root / "etc" / "dasflex.conf"), "ann", "of the moor")
    assert not compile_tree(root).findings
    return serving_root(root)


@pytest.fixture(scope="session")
def contexts(browser) -> Callable[..., BrowserContext]:
    """The context of a browser for properties, which all tests share: so what never changes is fetched once."""

    @cache
    def made(**properties: object) -> BrowserContext:
        if "user" in properties:
            name, _, password = str(properties.pop("user")).partition(":")
            properties["http_credentials"] = {"username": name, "password": password}
        context = browser.new_context(viewport={"width": 1100, "height": 900}, **properties)
        context.set_default_timeout(15_000)
        return context

    return made


@pytest.fixture
def visit(contexts, server) -> Iterator[Callable[..., Watched]]:
    """Opens pages with the properties of a browser's context. At the end none may have complained."""
    opened: list[Watched] = []

    def start(base: str = "", **properties: object) -> Watched:
        watched = Watched(contexts(**properties).new_page(), base or server)
        watched.page.on("console", watched.heard)
        watched.page.on("pageerror", watched.failed)
        watched.page.on("request", watched.sent)
        opened.append(watched)
        return watched

    yield start
    complaints = [text for each in opened for text in each.errors]
    for each in opened:
        each.page.close()
    assert not complaints
