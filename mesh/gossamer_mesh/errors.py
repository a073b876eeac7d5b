"""What the package's verbs fail with. One message each: what was expected, what was found, what to do.

Problem                 the base; ends a command with status 1
├── UnknownName         there is nothing of that name
├── UsageProblem        the words of the command are off; 2
└── ConfigurationProblem  a declaration or a setting is off; 64
"""

from typing import ClassVar


class Problem(Exception):  # noqa: N818 - what people read is a problem, not a Python error
    """Something that a person can mend. Printed as it is, without a stack trace.

    Args:
        message: one line, or several that stand together.
        status: the exit status of a command that ends with it.
    """

    default_status: ClassVar[int] = 1

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = self.default_status if status is None else status


class UnknownName(Problem):
    """Something was named that does not exist; the message tells what does."""


class UsageProblem(Problem):
    """The command was called with words that can't be followed."""

    default_status = 2


class ConfigurationProblem(Problem):
    """A declaration, a file or a setting can't be followed."""

    default_status = 64
