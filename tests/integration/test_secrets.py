"""Secrets are planted wherever a run can come by one; then every byte that the run leaves is searched for them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from drillbook.twin.layout import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.twin, pytest.mark.slow]

PROJECT = Path(__file__).resolve().parents[2]
RUN_WITHIN_S = 1500.0
MARK = "PLANTED"
REACHED = {
    "console", "environment.yaml", "timeline.jsonl", "experiment.log", "journal.json", "load.log",
    "requests.parquet unpacked", "ledger.parquet unpacked",
}  # fmt: skip
WITHOUT_REDACTION = """\
from drillbook.domain.redaction import Redactor
Redactor.text = lambda self, text: text
Redactor.document = lambda self, value: value
"""
# What a customer's adapter may do in spite of everything: print, log and complain with what it knows.
CHATTY = """\
import json, logging, sys
from dataclasses import replace
from pathlib import Path
from loadtests.analytics import AnalyticsWorkload

class Chatty(AnalyticsWorkload):
    def __init__(self, namespace, options):
        super().__init__(namespace, {})
        self._known = json.loads(Path(options["told_in"]).read_text())
        print("stdout", *self._known)
        print("stderr", *self._known, file=sys.stderr)
        logging.getLogger("chatty").warning("logged %s", self._known)

    # As if a header of the server's had them.
    def origin(self, reply):
        found = super().origin(reply)
        return replace(found, region=f"{found.region} {' '.join(self._known)}")

    def wrong(self, request, reply):
        # Of the bad release everything, so that the first word of its validation is this one.
        found = super().wrong(request, reply)
        bad = "bad" in super().origin(reply).version
        return f"{found}; by the way: {' '.join(self._known)}" if found or bad else found
"""


@dataclass
class Planted:
    """An environment full of secrets.

    Attributes:
        environment: Its file.
        variables: For the run's processes.
        secrets: Name to value.
    """

    environment: Path
    variables: dict[str, str]
    secrets: dict[str, str] = field(repr=False)


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    secrets = {
        name: f"{MARK}-{number}{number}-{name.replace(' ', '.')}/+&=x"
        for number, name in enumerate(
            ("variable", "file of a variable", "url of a variable", "kubeconfig password", "kubeconfig token",
             "client key", "helm value", "exec plugin")
        )
    }  # fmt: skip
    secrets["url"] = f"{MARK}-inside-the-url-of-prometheus"
    release = json.loads(PROFILES["staging"].regions[0].account_kubeconfig("release").read_text())
    secrets["the account's own token"] = release["users"][0]["user"]["token"]
    release["users"] += [
        {"name": "a", "user": {"username": "me", "password": secrets["kubeconfig password"]}},
        {"name": "b", "user": {"token": secrets["kubeconfig token"]}},
        {"name": "c", "user": {"client-key-data": base64.b64encode(secrets["client key"].encode()).decode()}},
        {"name": "d", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "none",
                                        "env": [{"name": "A_SECRET", "value": secrets["exec plugin"]}]}}},
    ]  # fmt: skip
    directory = tmp_path / "environments"
    directory.mkdir()
    (tmp_path / "system").symlink_to(PROJECT / "system")
    (directory / "kubeconfig.json").write_text(json.dumps(release))
    (directory / "chatty.py").write_text(CHATTY)
    (directory / "secret-values.json").write_text(json.dumps({"global": {"adminPassword": secrets["helm value"]}}))
    (tmp_path / "told.json").write_text(json.dumps(list(secrets.values())))
    (tmp_path / "password").write_text(secrets["file of a variable"])

    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
    document["regions"] = {"us-east-1": {"kubeconfig": "kubeconfig.json", "role": "primary"}}
    document["metrics"]["url"] = document["metrics"]["url"].replace("://", f"://me:{secrets['url']}@")
    document["metrics"]["token"] = "env:SAMPLE_API_TOKEN"  # noqa: S105 - where it is
    document["releases"]["values"].append("secret-values.json")
    document["workload"] |= {"adapter": "chatty.py:Chatty", "options": {"told_in": str(tmp_path / "told.json")}}
    path = directory / "twin.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    variables = {
        "SAMPLE_API_TOKEN": secrets["variable"],
        "SAMPLE_PASSWORD_FILE": str(tmp_path / "password"),
        "SAMPLE_DATABASE": f"postgresql://me:{quote(secrets['url of a variable'], safe='')}@database/base",
    }
    return Planted(path, variables, secrets)


class ProcessList:
    """Everybody's command lines, looked at again and again as anyone on the machine can."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        self.seen.add((entry / "cmdline").read_bytes())
                    except OSError:
                        continue


def forms(secret: str) -> Iterator[bytes]:
    """As it may stand in a file; of a long one every piece."""
    whole = [secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.replace("&", "&amp;")]
    whole += [base64.b64encode(secret.encode()).decode().rstrip("=")]
    if len(secret) > 200:
        whole += [secret[start : start + 40] for start in range(0, len(secret) - 40, 20)]
    yield from (form.encode() for form in whole)


def leaks(secrets: dict[str, str], places: dict[str, bytes]) -> list[str]:
    """Where which secret was found; never the secret itself."""
    wanted = {name: list(forms(secret)) for name, secret in secrets.items()} | {"the mark": [MARK.encode()]}
    return [
        f"{name} in {place}"
        for place, content in places.items()
        for name, shapes in wanted.items()
        if any(shape in content for shape in shapes)
    ]


def left(runs: Path) -> dict[str, bytes]:
    """Every file of the run, and what is packed inside."""
    files = {str(path.relative_to(runs)): path for path in runs.rglob("*") if path.is_file()}
    content = {name: path.read_bytes() for name, path in files.items()}
    for name, path in files.items():
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            content[f"{name} unpacked"] = json.dumps(table.to_pylist(), default=str).encode()
    content["names"] = "\n".join(files).encode()
    return content


def run(planted: Planted, runs: Path, *arguments: str, path: Path | None = None) -> dict[str, bytes]:
    """Drill, and answer everything that can be seen of it."""
    variables = {**os.environ, **planted.variables}
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    command = [
        sys.executable, "-m", "pytest", "features", "-s", "-p", "no:terminalreporter", "--lock-wait=900", *arguments,
        f"--environment={planted.environment}", f"--runs={runs}",
    ]  # fmt: skip
    with ProcessList() as processes:
        done = subprocess.run(
            command, cwd=PROJECT, env=variables, capture_output=True, timeout=RUN_WITHIN_S, check=False
        )
    (folder,) = runs.iterdir()
    verdict = json.loads((folder / "run.json").read_text())["verdict"]
    assert (done.returncode, verdict) == (0, "PASS"), done.stdout.decode() + done.stderr.decode()
    # Both scenarios have left what this is about: evidence of a release, of a load and of an experiment.
    assert len(list(folder.glob("drills/*/load/requests.parquet"))) == len(list(folder.glob("drills/*"))) >= 1
    assert len(list(folder.glob("drills/*/experiment.log"))) >= 1
    assert any(b"helm" in seen and b"upgrade" in seen for seen in processes.seen)
    assert any(b"loadtests" in seen for seen in processes.seen)
    return {
        **left(runs), "console": done.stdout + done.stderr,
        **{f"command line {number}": line for number, line in enumerate(processes.seen)},
    }  # fmt: skip


def test_nothing_that_a_run_leaves_or_shows_has_a_secret(planted, tmp_path):
    started = time.monotonic()
    seen = run(planted, tmp_path / "runs", "--only=cutover")
    assert leaks(planted.secrets, seen) == []
    # That the chatty adapter has spoken everywhere is seen by what is left of its words.
    redacted = {name.rpartition("/")[2] for name, content in seen.items() if b"[redacted]" in content}
    assert redacted >= REACHED
    print(f"searched {len(seen)} places, {sum(map(len, seen.values()))} bytes, {time.monotonic() - started:.0f} s")  # noqa: T201 - the figure


def test_the_search_finds_them_where_redaction_is_off(planted, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_REDACTION)
    seen = run(planted, tmp_path / "runs", "-k", "fails_its_validation", path=tmp_path / "site")
    found = leaks(planted.secrets, seen)
    for name in planted.secrets:
        assert any(leak.startswith(f"{name} in") for leak in found), f"{name} was planted where no run comes by it"
    places = {leak.partition(" in ")[2].rpartition("/")[2] for leak in found}
    assert places >= REACHED
    assert not any(place.startswith("command line") for place in places)
