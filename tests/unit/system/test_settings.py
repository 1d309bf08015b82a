"""What the service is told, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from analytics.config import ConfigurationError, Settings
from analytics.release import Release

if TYPE_CHECKING:
    from pathlib import Path

_ENVIRONMENT = {
    "VERSION": "1.1.0",
    "SLOT": "green",
    "REGION": "us-west-2",
    "DATABASE_URL": "postgresql://db/analytics",
    "SCORING_URL": "http://scoring/",
}


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({**_ENVIRONMENT, "DRAIN_SECONDS": "7.5", "DEFECT_ERROR_SHARE": "0.02"})
    assert (settings.release, settings.slot, settings.region) == (Release("1.1.0"), "green", "us-west-2")
    assert (settings.scoring_url, settings.drain_s, settings.port) == ("http://scoring", 7.5, 8000)
    assert settings.defects.error_share == 0.02
    assert not settings.log_every_request


def test_the_database_uri_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://file/analytics\n")
    settings = Settings.from_environment({**_ENVIRONMENT, "DATABASE_URL_FILE": str(file)})
    assert settings.database_url == "postgresql://file/analytics"


def test_the_key_of_sessions_stands_in_a_file_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 32 + "\n")
    settings = Settings.from_environment({**_ENVIRONMENT, "SESSION_KEY_FILE": str(file)})
    assert settings.session_key == b"k" * 32
    assert "kkk" not in repr(settings)
    assert not Settings.from_environment(_ENVIRONMENT).session_key


def test_a_short_key_of_sessions_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 31)
    with pytest.raises(ConfigurationError, match="a key of 31 bytes; it has to have 32") as refused:
        Settings.from_environment({**_ENVIRONMENT, "SESSION_KEY_FILE": str(file)})
    assert "kkk" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"SLOT": ""}, "SLOT is not set"),
        ({"VERSION": "latest"}, "it has to look like 1.1.0"),
        ({"DATABASE_URL_FILE": "/nowhere/url"}, "cannot be read"),
        ({"SESSION_KEY_FILE": "/nowhere/key"}, "SESSION_KEY_FILE names /nowhere/key, which cannot be read"),
        ({"DRAIN_SECONDS": "soon"}, "DRAIN_SECONDS is 'soon'"),
        ({"DRAIN_SECONDS": "nan"}, "DRAIN_SECONDS is 'nan'"),
        ({"DEFECT_ERROR_SHARE": "2"}, "from 0 to 1"),
        ({"DEFECT_DELAY_MS": "-5"}, "DEFECT_DELAY_MS is '-5'"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Settings.from_environment({**_ENVIRONMENT, **change})


@pytest.mark.parametrize(
    ("version", "median", "schema"),
    [("1.0.0", False, "0001"), ("1.0.9", False, "0001"), ("1.1.0", True, "0002"), ("1.2.0-bad", True, "0002")],
)
def test_a_release_has_what_its_version_brought(version: str, median: bool, schema: str) -> None:
    release = Release(version)
    assert (release.has_median, release.records_version, release.schema) == (median, median, schema)


@pytest.mark.parametrize(
    ("version", "schemas"),
    [("1.0.0", ["0001", "0002"]), ("1.1.0", ["0001", "0002", "0003"]), ("1.2.0-bad", ["0001", "0002", "0003"])],
)
def test_a_release_serves_one_expand_step_before_and_after_its_own(version: str, schemas: list[str]) -> None:
    assert [schema for schema in ("", "0001", "0002", "0003") if Release(version).serves_with(schema)] == schemas


def test_releases_are_ordered_by_their_numbers() -> None:
    assert Release("1.9.0").before(Release("1.10.0"))
    assert not Release("1.1.0").before(Release("1.1.0"))
    assert not Release("1.2.0-bad").before(Release("1.1.0"))
