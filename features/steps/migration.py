"""The database's migrations: their scripts, and one that is taken up and down under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then

if TYPE_CHECKING:
    from drillbook.inspection import Inspection


@given("the platform's migrations")
def _(inspection: Inspection) -> None:
    inspection.read_migrations()


@then(parsers.re(r"every migration (?P<promise>.+)"))
def _(inspection: Inspection, promise: str) -> None:
    inspection.check_migrations(promise)
