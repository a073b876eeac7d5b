"""A router's conditions -> a match that every gRPC client follows (gRFC A28). What one would drop or ignore is refused.

https://developer.hashicorp.com/consul/docs/reference/config-entry/service-router
"""

import re
from collections.abc import Mapping
from typing import Any

from gossamer_mesh.model import Header, HeaderIs, Match, PathIs, pattern
from gossamer_mesh.policy.refusals import Refusals

METHOD = re.compile(r"/[^/]+/[^/]+")
PREFIX = re.compile(r"/([^/]+(/[^/]*)?)?")
"""What gRPC's core follows; a route with another prefix is dropped, and its calls fall to the next."""

KINDS = {
    "Exact": HeaderIs.EXACT,
    "Prefix": HeaderIs.PREFIX,
    "Suffix": HeaderIs.SUFFIX,
    "Contains": HeaderIs.CONTAINS,
    "Regex": HeaderIs.REGEX,
}
FORMS = {HeaderIs.EXACT: "{}", HeaderIs.PREFIX: "{}.*", HeaderIs.SUFFIX: ".*{}", HeaderIs.CONTAINS: ".*{}.*"}


def match(http: Mapping[str, Any], subject: str, refusals: Refusals) -> Match:
    """Turn `Match.HTTP` of a route into our own words, noting what is refused."""
    if http.get("Methods"):
        refusals.say(f"{subject}.Methods", "gRPC calls are all POST, and clients ignore it: remove it")
    if http.get("QueryParam"):
        refusals.say(
            f"{subject}.QueryParam", "gRPC calls have no query, and clients drop the route: match a header instead"
        )
    if http.get("CaseInsensitive"):
        refusals.say(f"{subject}.CaseInsensitive", "names of gRPC methods have one spelling: remove it")
    kind, path = _path(http, subject, refusals)
    headers = tuple(
        _header(header, f"{subject}.Header[{index}]", refusals) for index, header in enumerate(http.get("Header") or ())
    )
    return Match(is_=kind, path=path, headers=headers)


def _path(http: Mapping[str, Any], subject: str, refusals: Refusals) -> tuple[PathIs, str]:
    if exact := http.get("PathExact"):
        if not METHOD.fullmatch(exact):
            refusals.say(f"{subject}.PathExact", f"expected /package.Service/Method, found {exact!r}")
        return PathIs.EXACT, exact
    if regex := http.get("PathRegex"):
        _require_regex(regex, f"{subject}.PathRegex", refusals)
        return PathIs.REGEX, regex
    prefix = http.get("PathPrefix") or "/"
    if not PREFIX.fullmatch(prefix):
        refusals.say(
            f"{subject}.PathPrefix", f"expected /package.Service/ or the beginning of a method's name, found {prefix!r}"
        )
    return PathIs.PREFIX, "" if prefix == "/" else prefix


def _header(written: Mapping[str, Any], subject: str, refusals: Refusals) -> Header:
    name = str(written.get("Name", "")).lower()
    if name.startswith((":", "grpc-")) or name.endswith("-bin"):
        refusals.say(f"{subject}.Name", f"clients can't match {name!r}: use a header of your own with a text value")
    invert = bool(written.get("Invert"))
    kind, value = next(((KINDS[key], written[key]) for key in KINDS if written.get(key)), (HeaderIs.PRESENT, ""))
    if written.get("IgnoreCase") and kind in FORMS:
        return Header(name=name, is_=HeaderIs.REGEX, value=f"(?i){FORMS[kind].format(re.escape(value))}", invert=invert)
    if kind is HeaderIs.REGEX:
        _require_regex(value, f"{subject}.Regex", refusals)
    return Header(name=name, is_=kind, value=value, invert=invert)


def _require_regex(regex: str, subject: str, refusals: Refusals) -> None:
    if problem := pattern.problem_of(regex):
        refusals.say(subject, f"expected a regular expression of RE2, found {regex!r}: {problem}")
