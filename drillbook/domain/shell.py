"""What a job's script is sure to do, and whether the job fails when a command of it does.

This reads scripts with distrust: what it cannot follow (conditions, loops, here-documents) counts as not done.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OPERATORS = frozenset({"&&", ";", "||", "|", "&"})
_KEYWORDS = frozenset(
    {"if", "then", "else", "for", "while", "until", "case", "function", "select", "trap", "!", "{", "("}
)
_WRAPPERS = frozenset({"exec", "env", "time", "sudo", "command"})
_ASSIGNMENT = re.compile(r"\w+=")
_LOOSENED = re.compile(r"set \+\S*e\S*|set \+o errexit|set \+o pipefail|exit\b|return\b|alias\b|unset\b")


@dataclass(frozen=True, slots=True)
class Tool:
    """A command that counts.

    Attributes:
        does: What it is, as a pattern of the beginning of a command without its folder.
        asks: What has to be among its arguments, as a pattern; without that it never fails.
        spoiled_by: What must not be.
    """

    does: str
    asks: str = ""
    spoiled_by: str = r"(?!)"

    def is_in(self, command: str) -> bool:
        """Whether this command is it."""
        return (
            re.match(rf"(?:{self.does})(?=\s|$)", command) is not None
            and re.search(self.asks, command) is not None
            and re.search(self.spoiled_by, command) is None
        )


def runs_any(script: Iterable[str], tools: Sequence[Tool]) -> bool:
    """Whether one of these commands is run, and its error ends the script.

    Args:
        script: Its entries, of one line or more; GitLab runs them in one shell with `set -eo pipefail`.
        tools: The commands.
    """
    for entry in script:
        for commands in _lines(entry):
            for command, joints in commands:
                if _LOOSENED.match(command):
                    return False
                # Behind or before `||` or `&` its error is somebody else's.
                if not joints & {"||", "&"} and any(tool.is_in(command) for tool in tools):
                    return True
    return False


def _lines(entry: str) -> list[list[tuple[str, set[str]]]]:
    """Commands of each line with the operators beside them; none where something in the entry cannot be followed."""
    found: list[list[tuple[str, set[str]]]] = []
    for line in entry.replace("\\\n", " ").splitlines():
        try:
            words = _words(line)
        except ValueError:
            return []
        if any(word in _KEYWORDS for word in words) or "<<" in line:
            return []
        found.append(_commands(words))
    return found


def _words(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars="&|;()")
    reader.whitespace_split = True
    return list(reader)


def _commands(words: Sequence[str]) -> list[tuple[str, set[str]]]:
    joints = [word for word in words if word in _OPERATORS]
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _OPERATORS:
            parts.append([])
        else:
            parts[-1].append(word)
    return [(_bare(part), set(joints[max(0, at - 1) : at + 1])) for at, part in enumerate(parts)]


def _bare(words: Sequence[str]) -> str:
    """Without what is set for the command alone, the programs that only start it, and its folder."""
    rest = list(words)
    while rest and (_ASSIGNMENT.match(rest[0]) or rest[0] in _WRAPPERS):
        rest = rest[1:]
    return " ".join([rest[0].rpartition("/")[2], *rest[1:]]) if rest else ""
