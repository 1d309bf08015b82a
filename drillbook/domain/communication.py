"""Who is told what, and when, while a recovery goes on: the communication plan, beside the steps that it speaks of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Audience = Literal["incident", "status", "writers"]

AUDIENCES: Mapping[Audience, str] = {
    "incident": "the incident channel",
    "status": "the status page",
    "writers": "everybody who writes",
}
"""Who there is to tell, by the name that environments give each a channel under, and in words."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of the plan.

    Attributes:
        audience: To whom.
        text: What they are told; names in braces are filled in from the environment.
        before: Whether it is told before the step, which waits for it; else as soon as the step is seen done.
    """

    audience: Audience
    text: str
    before: bool = False

    def filled(self, names: Mapping[str, str]) -> Notice:
        """With an environment's names in it."""
        text = self.text
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        return replace(self, text=text)

    def in_words(self) -> str:
        """For the runbook."""
        return f"{AUDIENCES[self.audience]}, {'before it' if self.before else 'once it is done'}: {self.text}"
