"""A split over versions of a service -> its splitter, and in its resolver a subset for each version. Pure.

Subsets that were written here are marked one by one, since others may have written the rest of their resolver: removing
a split takes back just these. A subset's name is a DNS label, which the name of a version need not be.
https://developer.hashicorp.com/consul/docs/reference/config-entry/service-splitter
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gossamer_mesh.consul.writing import Found
from gossamer_mesh.handles.errors import Unfit
from gossamer_mesh.handles.ownership import MARK, NOTED, SPLIT, Change, is_ours, require_ours
from gossamer_mesh.model import Service
from gossamer_mesh.model.plan import WHOLE

LABEL = 63
"""How long a subset's name may be."""

Entries = Mapping[str, Found | None]
"""What was read, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much of the calls a version gets."""

    version: str
    weight: int
    """In hundredths of a percent."""


def shares(weights: Iterable[tuple[str, float]]) -> tuple[Share, ...]:
    """Read percentages by version. Raises `Unfit`."""
    read = tuple(Share(version=version, weight=_hundredths(version, weight)) for version, weight in weights)
    versions = [share.version for share in read]
    if twice := next((version for version in versions if versions.count(version) > 1), None):
        raise Unfit("shares", f"expected each version once, found {twice} twice")
    if (total := sum(share.weight for share in read)) != WHOLE:
        raise Unfit("shares", f"expected weights that add up to 100, found {total / 100:g}")
    return read


def _hundredths(version: str, percent: float) -> int:
    hundredths = round(percent * 100)
    if abs(percent * 100 - hundredths) > 1e-6:  # noqa: PLR2004 - what a double loses
        raise Unfit("shares", f"expected weights in steps of 0.01, found {version}={percent:g}")
    return hundredths


def names(service: str) -> tuple[str, str]:
    """Name the resolver and the splitter of a service."""
    return f"service-resolver/{service}", f"service-splitter/{service}"


def subsets_of(wanted: Sequence[Share], resolver: Found | None) -> dict[str, str]:
    """Choose the subset of each share, by version: the one of that name, one of that version's filter, or a new one.

    Raises `Unfit`.
    """
    there = _subsets(resolver)
    by_filter = {subset.get("Filter"): name for name, subset in there.items()}
    chosen: dict[str, str] = {}
    for share in wanted:
        version = share.version
        name = version if version in there else by_filter.get(filter_of(version))
        if name in chosen.values():
            raise Unfit("shares", f"expected each subset once, found that {version} is the subset {name} as well")
        chosen[version] = name or _new_name(version, {*there, *chosen.values()})
    return chosen


def write(service: str, wanted: Sequence[Share], found: Entries, *, force: bool) -> list[Change]:
    """Decide what to write for a split, the resolver first. Raises `EntryOfOthers` and `Unfit`."""
    (resolver_name, splitter_name), resolver, splitter = names(service), *_both(service, found)
    chosen = subsets_of(wanted, resolver)
    new = {name: {"Filter": filter_of(version)} for version, name in chosen.items() if name not in _subsets(resolver)}
    require_ours([(resolver_name, resolver if new else None), (splitter_name, splitter)], force=force)
    splits = [{"Weight": share.weight / 100, "ServiceSubset": chosen[share.version]} for share in wanted]
    body = {"Splits": splits, "Meta": {MARK: SPLIT}}
    changes = [Change(name=splitter_name, body=body, index=splitter.index if splitter else 0)]
    if new:
        index = resolver.index if resolver else 0
        changes.insert(0, Change(name=resolver_name, body=_with_subsets(resolver, new), index=index))
    return changes


def not_called(
    service: Service,
    wanted: Sequence[Share],
    resolver: Found | None,
    selected: Mapping[tuple[str, str], frozenset[str]],
) -> list[Share]:
    """Find the shares that no instance would answer. Of a subset whose filter nobody has tried yet, that is not known.

    `selected` tells the instances of a filter by service and filter. Raises `Unfit`.
    """
    there, instances = _subsets(resolver), [each for each in service.instances if each.callable]
    silent = []
    for version, name in subsets_of(wanted, resolver).items():
        chosen = there[name].get("Filter") if name in there else filter_of(version)
        if not chosen:
            called = bool(instances)
        elif (service.name, chosen) in selected:
            called = any(each.id in selected[service.name, chosen] for each in instances)
        else:
            called = chosen != filter_of(version) or any(each.version == version for each in instances)
        if not called:
            silent.append(version)
    return [share for share in wanted if share.weight and share.version in silent]


def clear(service: str, found: Entries, *, force: bool) -> list[Change]:
    """Decide how to take back a split, the splitter first. Raises `EntryOfOthers`."""
    (resolver_name, splitter_name), resolver, splitter = names(service), *_both(service, found)
    require_ours([(splitter_name, splitter)], force=force)
    changes = [Change(name=splitter_name, index=splitter.index)] if splitter else []
    if resolver and (is_ours(resolver) or _marked(resolver)):
        changes.append(Change(name=resolver_name, body=_without_subsets(resolver), index=resolver.index))
    return changes


def filter_of(version: str) -> str:
    """Write the filter that selects a version, whatever characters its name has."""
    plain = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in version)
    return f'Service.Meta.version == "{plain}"'


def _both(service: str, found: Entries) -> tuple[Found | None, Found | None]:
    resolver, splitter = (found[name] for name in names(service))
    return resolver, splitter


def _subsets(resolver: Found | None) -> Mapping[str, Mapping[str, Any]]:
    return (resolver.body.get("Subsets") if resolver else None) or {}


def _new_name(version: str, taken: set[str]) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", version.lower())[:LABEL].strip("-") or "version"
    name, number = label, 1
    while name in taken:
        number += 1
        ending = f"-{number}"
        name = f"{label[: LABEL - len(ending)]}{ending}"
    return name


def _marked(resolver: Found) -> set[str]:
    """Name the subsets that were written here."""
    meta = resolver.body.get("Meta") or {}
    return {name for name in _subsets(resolver) if meta.get(_subset_mark(name)) == SPLIT}


def _subset_mark(name: str) -> str:
    return f"subset-{name}"


def _with_subsets(resolver: Found | None, new: Mapping[str, Any]) -> dict[str, Any]:
    before = _plain(resolver) if resolver else {"Meta": {MARK: SPLIT}}
    marks = {_subset_mark(name): SPLIT for name in new}
    subsets = {**(before.get("Subsets") or {}), **new}
    return {**before, "Subsets": subsets, "Meta": {**(before.get("Meta") or {}), **marks}}


def _without_subsets(resolver: Found) -> dict[str, Any] | None:
    """Give what is left of a resolver without what was written here; None if that is nothing."""
    marked, body = _marked(resolver), _plain(resolver)
    marks = {MARK} if is_ours(resolver) else set()
    marks |= {_subset_mark(name) for name in marked}
    body["Subsets"] = {name: subset for name, subset in _subsets(resolver).items() if name not in marked}
    body["Meta"] = {key: value for key, value in (body.get("Meta") or {}).items() if key not in marks}
    left = any(value for key, value in body.items() if key not in {"Kind", "Name", "Namespace", "Partition"})
    return body if left or not is_ours(resolver) else None


def _plain(found: Found) -> dict[str, Any]:
    return {key: value for key, value in found.body.items() if key not in NOTED}
