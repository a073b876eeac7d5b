"""Why something that people wrote is not followed."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why something is left out of a plan."""

    service: str
    subject: str
    """What is left out: `instance catalog-1`, or a field: `service-router/catalog Routes[0].Match.HTTP.Methods`."""
    reason: str
    """What was expected, what was found and what to do."""


@dataclass
class Refusals:
    """Collects all that is wrong with what one service's clients are to be told."""

    service: str
    found: list[Refusal] = field(default_factory=list)

    def say(self, subject: str, reason: str) -> None:
        """Note one; the same one is noted once."""
        refusal = Refusal(self.service, subject, reason)
        if refusal not in self.found:
            self.found.append(refusal)
