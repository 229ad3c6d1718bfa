# SPDX-License-Identifier: GPL-3.0-or-later
"""Prices as headers and as JSON: what a request is expected to cost, and which one near to it would be granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from dasflex_core.affording import with_changes
from dasflex_core.queries import query_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_cgi.visit import Visit
    from dasflex_core.errors import TooLargeError
    from dasflex_core.prices import Estimate, Suggestion
    from dasflex_core.site import Site

__all__ = ["Json", "price_headers", "refusal_facts", "refusal_headers", "way_out"]

Headers = tuple[tuple[str, str], ...]
#: A value of JSON.
Json = str | float | int | bool | list["Json"] | dict[str, "Json"] | None
#: What may stand in a query as it is.
_SAFE: Final = ":/,"


def price_headers(estimate: Estimate) -> Headers:
    """What a request is expected to cost, as headers. What is not known has none."""
    known = (("Bytes", estimate.bytes), ("Records", estimate.records))
    return (
        *((f"X-Estimated-{name}", str(value)) for name, value in known if value is not None),
        ("X-Estimated-Seconds", f"{estimate.seconds:.3g}"),
        ("X-Estimate-Basis", estimate.rests_on),
    )


def refusal_headers(error: TooLargeError) -> Headers:
    """What a refused request would cost, and the parameters that would do: alternatives with commas between them."""
    price = () if error.estimate is None else price_headers(error.estimate)
    offers = ", ".join(urlencode(each.changes, safe=":/") for each in error.suggestions)
    return (*price, ("X-Suggested-Parameters", offers))


def refusal_facts(site: Site, visit: Visit, error: TooLargeError) -> dict[str, Json]:
    """What a refusal says to programs, beside its text."""
    spells = dict(site.registry.convention("das2" if visit.das2 else "flex").spells)
    return {
        "estimate": None if error.estimate is None else dict(error.estimate.plain()),
        "limits": [{"key": each.key, "cost": each.cost, "most": each.most, "unit": each.unit} for each in error.limits],
        "suggestions": [
            {
                "text": each.text,
                "parameters": dict(each.changes),
                "estimate": dict(each.estimate.plain()),
                "url": _address(visit, each, spells),
            }
            for each in error.suggestions
        ],
    }


def _address(visit: Visit, suggestion: Suggestion, spells: dict[str, str]) -> str:
    """The address that asks for what is suggested, as this client asked; that of the data where it asked for a plan."""
    asked = visit.asked
    pairs = with_changes(query_pairs(asked.query), spells, suggestion.changes)
    path = asked.path
    if path.lower().endswith("/plan"):
        path = f"{path[: -len('plan')]}flex"
        pairs = tuple(pair for pair in pairs if pair[0].lower() != "format")
    return f"{asked.origin}{asked.base}{quote(path, safe='/+')}?{urlencode(pairs, safe=_SAFE)}"


def way_out(site: Site, visit: Visit, error: TooLargeError) -> str:
    """The end of a refusal that says how all can be had after all: as a job, where the site has such. Else blank."""
    config, estimate = site.config, error.estimate
    if visit.das2 or not config.limit_jobs or estimate is None or not _is_data(visit.asked.path):
        return ""
    limits = (config.limit_job_seconds, config.limit_job_gigabytes, config.limit_jobs_gigabytes)
    if any(_beyond(estimate, *limits)):
        return ""
    return '; or have all of it later, as a job: send the header "Prefer: respond-async"'


def _is_data(path: str) -> bool:
    """Whether a path asks for data in a way in which a job can be asked for."""
    last = path.lower().rpartition("/")[2]
    return last == "flex" or last.startswith("data.")


def _beyond(estimate: Estimate, seconds: float, gigabytes: float, room: float) -> Iterator[bool]:
    """Whether an estimate is beyond the limits of jobs, one by one; `room` is that of all results, in gigabytes."""
    yield bool(room) and (estimate.answer_gigabytes or 0.0) > room
    yield bool(seconds) and estimate.seconds > seconds
    yield bool(gigabytes) and (estimate.gigabytes or 0.0) > gigabytes
