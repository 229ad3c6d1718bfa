# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks one rule after the other in a copy of the code, and prints which test noticed: `python tests/clients/mutations.py`.

A rule is tested only if its test fails when the rule is broken. The copy is made below the system's directory for
temporary files; the tests run from where they are, with the copy in front of `PYTHONPATH`. The exit code is the number
of mutations that nobody noticed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("dasflex_core", "dasflex_cgi", "dasflex_ws", "plugins", "examples")


@dataclass(frozen=True)
class Mutation:
    """A rule, what is done to break it, where, and which tests should notice, with which way of serving."""

    rule: str
    words: str
    file: str
    old: str
    new: str
    tests: str
    ways: str = "serve"


CGI = "dasflex_cgi/"
DAS = "plugins/dasflex_das/"
MUTATIONS: Final = (
    Mutation("H1", "connections are kept", CGI + "http_server.py", "        return _spelt(head, written)", '        return _spelt(head, written).replace(b"Connection: close", b"Connection: keep-alive")', "test_h1_"),
    Mutation("H2", "2,000 bytes more in the header", CGI + "answering.py", "    return tuple(clean)\n", '    return (*clean, ("X-More", "x" * 2000))\n', "test_h2_"),
    Mutation("H3", "names of headers in lower case", CGI + "http_server.py", 'f"{written.get(name.lower(), name)}', 'f"{name.lower()}', "test_h3_"),
    Mutation("H3", "the same in CGI", CGI + "cgi_form.py", 'f"{name}: {value}" for name', 'f"{name.lower()}: {value}" for name', "test_h3_", "cgi"),
    Mutation("H4", "text is compressed for everybody", CGI + "compressing.py", "return best if liked > 0 and", "return best if", "test_h4_"),
    Mutation("H5", "data have the status 206", CGI + "delivering.py", "return Answer(200, headers, Coded", "return Answer(206, headers, Coded", "test_h5_"),
    Mutation("H6", "redirects with 303", CGI + "moving.py", "return Answer(301, headers", "return Answer(303, headers", "test_h6_"),
    Mutation("H6", "redirects to a path", CGI + "visit.py", 'return f"{asked.origin}{asked.base}{path}"', 'return f"{asked.base}{path}"', "test_h6_"),
    Mutation("H6", "redirects of any length", CGI + "moving.py", "_LONGEST: Final = 1000", "_LONGEST: Final = 100000", "test_h6_"),
    Mutation("H6", "redirects to the same place", CGI + "moving.py", 'f"/source/{there.lower()}{what}{query}"', 'f"{asked.path}{query}"', "test_h6_"),
    Mutation("H7", "who accepts HTML is a browser", CGI + "exchange.py", 'and "Mozilla/" in self.headers.get("user-agent", "")', "", "test_h7_"),
    Mutation("H8", "a sign after 40 s only", "dasflex_core/run/settings.py", "first_byte: float = 20.0", "first_byte: float = 40.0", "test_h8_"),
    Mutation("H8", "no sign in pauses", "dasflex_core/run/settings.py", "pulse: float = 20.0", "pulse: float = 40.0", "test_h8_"),
    Mutation("H11", "slashes count", CGI + "answering.py", '        path = path.replace("//", "/")', "        break", "test_h11_"),
    Mutation("H11", "a request without Accept fails", CGI + "exchange.py", 'self.headers.get("accept", "")', 'self.headers["accept"]', "test_h11_"),
    Mutation("H13", "waits for a body after 100-continue", CGI + "http_server.py", "if channel.request.completed:", "if False:", "test_h13_"),
    Mutation("H15", "errors without a type", CGI + "failures.py", 'return Answer(status, (("Content-Type", TEXT), *extra)', "return Answer(status, (*extra,)", "test_h15_", "cgi"),
    Mutation("H15", "pages of streams without a type", CGI + "delivering.py", '        ("Content-Type", kind),\n', "", "test_h15_", "cgi"),
    Mutation("Q1", "no historic place", CGI + "answering.py", '"/das/server", "/das/das2server")', '"/das/server")', "test_q1_"),
    Mutation("Q2", "no peers", CGI + "das2_views.py", '"compactdataset", "peers")', '"compactdataset")', "test_q2_"),
    Mutation("Q2", "children before their directory", "dasflex_core/catalog/listing.py", "for depth in range(1, len(parts))", "for depth in range(1, 1)", "test_q2_"),
    Mutation("Q2", "the type of compactdataset", CGI + "answering.py", '"application/octet-stream" if query', '"application/binary" if query', "test_q2_"),
    Mutation("Q3", "keys in one case only", CGI + "das2_views.py", "if name.strip().lower() == key", "if name.strip() == key", "test_q3_"),
    Mutation("Q3", "no .dsdf", "dasflex_core/catalog/identifiers.py", 'identifier.lower().removesuffix(".dsdf")', "identifier.lower()", "test_q3_"),
    Mutation("Q3", "ids with case", "dasflex_core/catalog/identifiers.py", 'return identifier.lower().removesuffix(".dsdf")', 'return identifier.removesuffix(".dsdf")', "test_q3_"),
    Mutation("Q4", "no Z", "dasflex_core/times.py", r"(?:[Zz]|\+00:?00)?", r"(?:\+00:?00)?", "test_q4_"),
    Mutation("Q4", "no days of the year", "dasflex_core/times.py", "ordinal = int(day) if day and not month else None", "ordinal = 1 if day and not month else None", "test_q4_"),
    Mutation("Q5", "no exponents", DAS + "convention.py", 'float(value.replace(" ", "+"))', 'float(value.replace("e", "x").replace("E", "x"))', "test_q5_"),
    Mutation("Q5", "0 is a resolution", DAS + "convention.py", "if _seconds(key, value) else []", "", "test_q5_"),
    Mutation("Q6", "whole seconds only", DAS + "convention.py", 'float(value.replace(" ", "+"))', "float(int(value))", "test_q6_"),
    Mutation("Q7", "decoded twice", "dasflex_core/queries.py", "            return parse_qsl(text", "            from urllib.parse import unquote\n            return parse_qsl(unquote(text)", "test_q7_"),
    Mutation("Q7", "+ stays +", "dasflex_core/queries.py", "            return parse_qsl(text", '            return parse_qsl(text.replace("+", "%2B")', "test_q7_"),
    Mutation("Q8", "extras are errors", DAS + "convention.py", 'elif "." in key:', 'else:\n            raise QueryError("There is no such key")\n        if "." in key:', "test_q8_"),
    Mutation("Q9", "the header announces compressed packets", DAS + "das2_amending.py", 'added.encode("ascii", "replace"))', """added.encode("ascii", "replace")).replace(b"<stream ", b'<stream compression="deflate" ')""", "test_q9_ and not Deflated"),
    Mutation("Q10", "titles as they are", "dasflex_core/catalog/listing.py", "    if text.isascii():\n        return text\n", '    return text.encode().decode("latin-1")\n', "test_q10_"),
    Mutation("1.3", "nothing found is an empty body", "dasflex_core/run/outlet.py", "        if not self.found and (told := self._nothing()):", "        if False and (told := self._nothing()):", "test_errors_nothing"),
    Mutation("1.3", "a reader that fails is 200", "dasflex_core/statuses.py", '"source": 500', '"source": 200', "test_errors_of_das2"),
    Mutation("1.3", "a bad key is 422", "dasflex_core/statuses.py", '"query": 400', '"query": 422', "test_errors_of_das2"),
    Mutation("1.3", "an unknown source is 400", "dasflex_core/statuses.py", '"not-found": 404', '"not-found": 400', "test_errors_of_das2"),
    Mutation("1.3", "a refusal is 404", "dasflex_core/statuses.py", '"access.log-in": 401', '"access.log-in": 404', "test_errors_of_das2"),
    Mutation("1.3", "the exception without a stream header", DAS + "das2_messages.py", "return early_header() + problem_packet", "return problem_packet", "test_errors_of_das2"),
    Mutation("1.3", "lengths in characters", DAS + "das2_messages.py", '(tag.encode("ascii"), len(data), data)', '(tag.encode("ascii"), len(body), data)', "test_errors_hold"),
    Mutation("1.3", "text that is not escaped", DAS + "das2_messages.py", 'return attribute_text(flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…")', "return flat", "test_errors_hold"),
    Mutation("1.3", "other names of exceptions", DAS + "das2_messages.py", '"query": "IllegalArgument"', '"query": "QueryError"', "test_errors_of_das2"),
    Mutation("1.3", "nothing is told in mid-stream", "dasflex_core/run/pump.py", "            told = self._in_band(failure)", '            told = b""', "test_errors_in_mid"),
    Mutation("1.3", "an answer that broke ends as if it were whole", CGI + "runs.py", "        return next(self._chunks)", "        try:\n            return next(self._chunks)\n        except Exception:\n            raise StopIteration from None", "test_errors_in_mid"),
    Mutation("1.3", "das2 errors for das3 clients", DAS + "plugin.py", 'failure=f"dasflex_das.{messages}:error_document"', 'failure="dasflex_das.das2_messages:error_document"', "test_errors_of_das3"),
    Mutation("1.3", "headers are not held back", "dasflex_core/run/pump.py", "            return self._outlet.found or self._outlet.early\n", "            return True\n", "test_errors_of_das2"),
)  # fmt: skip


def tree(folder: Path) -> None:
    """A copy of the code."""
    for each in PACKAGES:
        shutil.copytree(REPOSITORY / each, folder / each, ignore=shutil.ignore_patterns("__pycache__"))


def noticed(mutation: Mutation) -> str:
    """The test that failed; blank if none did."""
    with tempfile.TemporaryDirectory(prefix="dasflex-mutation-") as place:
        folder = Path(place)
        tree(folder)
        file = folder / mutation.file
        text = file.read_text(encoding="utf-8")
        if not mutation.old or mutation.old not in text:
            return "(the text to change is not there)"
        file.write_text(text.replace(mutation.old, mutation.new, 1), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=no",
            "-k",
            mutation.tests,
        ]
        command[1:3] = [str(Path(sys.executable).with_name("pytest"))]
        done = subprocess.run(
            [*command, str(REPOSITORY / "tests" / "clients")],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'plugins'}",
                "DASFLEX_TEST_WAYS": mutation.ways,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        found = re.search(r"^(FAILED|ERROR) \S*?::(.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
        if found and found[1] == "ERROR":
            return f"(an error, no failure: {found[2][:80]})"
        return found[2] if found else "" if done.returncode == 0 else f"(pytest ended with {done.returncode})"


def main() -> int:
    """Prints the table, and gives the number of mutations that nobody noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rules", nargs="*", help="only these rules")
    chosen = parser.parse_args().rules
    mutations = [each for each in MUTATIONS if not chosen or each.rule in chosen]
    missed = 0
    print("| rule | mutation | test that failed |\n| --- | --- | --- |")  # noqa: T201  this is what the script is for
    with ThreadPoolExecutor(2) as pool:
        for mutation, test in zip(mutations, pool.map(noticed, mutations), strict=True):
            missed += not test.startswith("test_")
            told = f"`{test.replace('|', '/')[:110]}`" if test.startswith("test_") else f"**{test or 'NONE'}**"
            print(f"| {mutation.rule} | {mutation.words} | {told} |", flush=True)  # noqa: T201  the same
    return missed


if __name__ == "__main__":
    sys.exit(main())
