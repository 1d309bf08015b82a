"""The platform as a drill finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@given(parsers.parse("release {version} is live and healthy, and the other slot is empty"))
def _(drill: Drill, version: str) -> None:
    drill.start_from(version)
