"""Why something is not written that a person asked for.

HandleError            the base; nothing was written
├── EntryOfOthers      it would change what others wrote
├── VersionNotCalled   calls would go where nobody answers
└── Unfit              what is asked for makes no sense
"""

from collections.abc import Iterable


class HandleError(Exception):
    """What was asked for is not done. The message says what was expected, what was found and what to do."""


class EntryOfOthers(HandleError):  # noqa: N818 - what was met, not a mistake
    """It would change or remove entries that others wrote, which was not asked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        listed, plural = " and ".join(self.names), len(self.names) > 1
        found = f"{listed} {'were' if plural else 'was'} written by others"
        super().__init__(f"{found}; to change {'them' if plural else 'it'} anyway, ask with force (--force)")


class VersionNotCalled(HandleError):  # noqa: N818 - as above
    """Calls would go to a version that no instance has which could be called."""


class Unfit(HandleError):  # noqa: N818 - as above
    """A field of the request can't be followed."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        super().__init__(reason)
