"""What a route takes -> RouteMatch, in the forms that every gRPC client follows (gRFC A28, A63)."""

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RouteMatch
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from gossamer_mesh.model import Header, HeaderIs, Match, PathIs


def route_match(match: Match) -> RouteMatch:
    """Make the conditions of a route."""
    message = _path(match)
    message.headers.extend(map(_header, match.headers))
    return message


def _path(match: Match) -> RouteMatch:
    if match.is_ is PathIs.EXACT:
        return RouteMatch(path=match.path)
    if match.is_ is PathIs.REGEX:
        return RouteMatch(safe_regex=RegexMatcher(regex=match.path))
    return RouteMatch(prefix=match.path)


def _header(header: Header) -> HeaderMatcher:
    if header.is_ is HeaderIs.PRESENT:
        return HeaderMatcher(name=header.name, present_match=True, invert_match=header.invert)
    if header.is_ is HeaderIs.REGEX:
        regex = RegexMatcher(regex=header.value)
        return HeaderMatcher(name=header.name, safe_regex_match=regex, invert_match=header.invert)
    text = StringMatcher(**{header.is_.value: header.value})
    return HeaderMatcher(name=header.name, string_match=text, invert_match=header.invert)
