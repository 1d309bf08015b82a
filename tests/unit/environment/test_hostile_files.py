"""Environment files from somebody who wishes us ill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from drillbook.run import redaction
from drillbook.run.environment import DIRECTORY, EnvironmentFileError, load

if TYPE_CHECKING:
    from pathlib import Path

TWIN = (DIRECTORY / "twin.yaml").read_text()
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
PLANTED = "Planted-0815"


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setenv(redaction.SOURCE_VARIABLE, "")
    yield
    redaction.forget()


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "twin.yaml"
    path.write_text(text)
    started = time.monotonic()
    with pytest.raises(EnvironmentFileError) as error:
        load(path, releases=False)
    assert time.monotonic() - started < 5
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: &a {b: *a}\n",
        "a: &a [*a]\n",
        "<<: &x {<<: *x}\n",
        "[" * 500_000,
        "{" * 500_000,
        "- " * 500_000,
        "? " * 100_000,
        "a: " + "{b: " * 2000,
        "%YAML 9.9\n---\n? [a]\n: 1\n",
        "\x00\x07",
        "!!binary |\n  AAAA\n",
        "!!python/object/apply:os.system ['touch hacked']\n",
        "a: !!python/name:os.system\nb: !<tag:yaml.org,2002:python/module:os> x\n",
    ],
)
def test_what_is_made_to_hang_or_crash_a_reader_is_refused(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, text)
    assert not (tmp_path / "hacked").exists()


def test_laughs_inside_a_right_file_are_refused(tmp_path):
    inside = "".join(f"    {line}\n" for line in LAUGHS.splitlines())
    said = refused(tmp_path, TWIN.replace("workload:\n", f"workload:\n  options:\n{inside}", 1))
    assert "aliases" in said


def test_an_alias_of_what_it_is_in_ends_nowhere_deep_in_a_right_file(tmp_path):
    said = refused(tmp_path, TWIN.replace("workload:\n", "workload:\n  options: {a: &a [*a, {b: *a}], 1.10: x}\n", 1))
    assert said.endswith("workload.options has the key 1.10, which is a number without quotes, and not kept as it is "
                         "written: put it in quotes")  # fmt: skip


def test_a_fault_does_not_show_a_password(tmp_path):
    said = refused(tmp_path, TWIN.replace("http://10.77.1.11:30090", f"ftp://me:{PLANTED}@10.77.1.11:30090"))
    assert "metrics.url" in said
    assert PLANTED not in said


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("workload:\n", f"workload:\n  options: {{api_token: {PLANTED}}}\n", "workload.options.api_token"),
        ("region: us-east-1}", f"region: us-east-1, db.password: {PLANTED}}}", "releases.settings.db.password"),
        ("{version: 1.2.0-bad,", f"{{version: 1.2.0-bad, secretKey: {PLANTED},", "releases.overrides"),
        ("http://analytics.drillbook.test", f"http://me:{PLANTED}@analytics.drillbook.test", "public_url"),
    ],
)
def test_a_credential_that_others_could_read_is_refused(tmp_path, before, after, place):
    assert before in TWIN
    said = refused(tmp_path, TWIN.replace(before, after, 1))
    assert place in said
    assert f"me:{PLANTED}" not in said


def test_the_name_of_a_secret_is_no_credential(tmp_path):
    path = tmp_path / "twin.yaml"
    path.write_text(TWIN.replace("region: us-east-1}", "region: us-east-1, database.secret: analytics-database}"))
    assert load(path, releases=False).releases.settings["database.secret"] == "analytics-database"
