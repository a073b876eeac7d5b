"""A fault for some calls of a service -> the value `gossamer/faults/SERVICE`, in which each fault has a scope. Pure.

A scope is what calls the fault is for: caller, method and headers. Of two that take the same call, the first is done.
"""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from gossamer_mesh.consul.writing import Found
from gossamer_mesh.handles.errors import EntryOfOthers, Unfit
from gossamer_mesh.handles.ownership import FLAGS, Change, require_ours

MOST = 32
"""How many the schema allows."""

SCOPE = ("from", "method", "headers")

Fault = Mapping[str, Any]
"""One element of the value, as schemas/faults.json says."""


def name_of(service: str) -> str:
    """Name the value."""
    return f"gossamer/faults/{service}"


def write(service: str, fault: Fault, found: Found | None, *, force: bool) -> list[Change]:
    """Decide what to write: the fault takes the place of that of its scope, all others stay.

    It comes before the first that would take all of its calls. Raises `EntryOfOthers` and `Unfit`.
    """
    name = name_of(service)
    require_ours([(name, found)], force=force)
    if found and not isinstance(found.body, list) and not force:
        raise EntryOfOthers([name])  # nobody wrote such a thing here
    before = (
        [each for each in found.body if isinstance(each, Mapping)] if found and isinstance(found.body, list) else []
    )
    faults = [each for each in before if _scope(each) != _scope(fault)]
    place = next((i for i, each in enumerate(faults) if _covers(each, fault)), len(faults))
    faults.insert(place, fault)
    if len(faults) > MOST:
        raise Unfit("fault", f"expected at most {MOST} faults of a service, found {MOST} that are there: clear them")
    index, flags = (found.index, found.flags) if found else (0, FLAGS)
    return [Change(name=name, body=faults, index=index, flags=flags)]


def clear(service: str, found: Found | None, *, force: bool) -> list[Change]:
    """Decide what to remove. Raises `EntryOfOthers`."""
    require_ours([(name_of(service), found)], force=force)
    return [Change(name=name_of(service), index=found.index)] if found else []


def method_of(given: str, known: Collection[str]) -> str:
    """Find the method that is meant, as `package.Service/Method`, by its full name or how that ends.

    Args:
        given: what a person wrote, perhaps with a slash before it.
        known: all methods of the service; none: its contracts are not known, and every full name will do.

    Raises `Unfit`.
    """
    wanted = given.removeprefix("/")
    ending = [each for each in known if f"/{each}".endswith((f"/{wanted}", f".{wanted}"))]
    if wanted in known or len(ending) == 1:
        return wanted if wanted in known else ending[0]
    if not known and all(wanted.partition("/")) and wanted.count("/") == 1:
        return wanted
    if ending:
        raise Unfit("method", f"expected one method, found that {wanted!r} may be {' or '.join(sorted(ending))}")
    near = difflib.get_close_matches(_last(wanted), {_last(each) for each in known}, n=3)
    meant = sorted((each for each in known if _last(each) in near), key=lambda each: near.index(_last(each)))
    hint = f"did you mean {' or '.join(meant)}?" if meant else f"there are {', '.join(sorted(known))}"
    if not known:
        hint = "write it in full, as package.Service/Method"
    raise Unfit("method", f"expected a method of the service, found {wanted!r}: {hint}")


def _last(method: str) -> str:
    return method.rpartition("/")[2]


def _scope(fault: Fault) -> tuple[Any, ...]:
    return (fault.get("from", ""), fault.get("method", ""), fault.get("headers") or {})


def _covers(fault: Fault, other: Fault) -> bool:
    """Tell whether a fault takes every call that another does."""
    for key in ("from", "method"):
        if fault.get(key, "") not in {"", other.get(key, "")}:
            return False
    return (fault.get("headers") or {}).items() <= (other.get("headers") or {}).items()
