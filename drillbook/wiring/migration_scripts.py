"""The only place that chooses who reads and who lints migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.migration.script import Linted


def linted(scripts: Path) -> tuple[Linted, ...]:
    """The migrations of a folder, each with what the linter of statements says.

    Raises:
        Unreachable: When they cannot be read, or whoever reads or lints them is not installed.
    """
    try:
        # An extra, which only those need who have migrations.
        from drillbook.drivers import alembic_scripts, squawk  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unreachable(
            f"{error.name} is not installed: pip install '.[migrations]' in Drillbook's checkout"
        ) from error
    return squawk.lint(alembic_scripts.read(scripts, scripts.parent))
