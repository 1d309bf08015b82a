"""One cluster from a run's first look to its last undo, whatever somebody makes current in the kubeconfig meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from drillbook import wiring
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock
from drillbook.wiring import clusters

PROJECT = Path(__file__).resolve().parents[2]
STAGING, PRODUCTION = "http://staging.test:6443", "http://production.test:6443"
HELM = """#!{python}
import json, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "history":
    sys.exit("Error: release: not found")
"""
CONNECT = """
import sys
from drillbook import wiring
from drillbook.run.clock import SteadyClock
ports = wiring.platform(wiring.read_environment(sys.argv[1]), SteadyClock.starting_now())
print(ports.cluster.api.configuration.host)
"""


@pytest.fixture(autouse=True)
def nothing_settled(monkeypatch) -> None:
    monkeypatch.setenv(clusters.VARIABLE, "{}")


def kubeconfig(current: str, servers: dict[str, str]) -> str:
    return json.dumps(
        {
            "apiVersion": "v1", "kind": "Config", "current-context": current,
            "clusters": [{"name": name, "cluster": {"server": server}} for name, server in servers.items()],
            "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in servers],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in servers],
        }
    )  # fmt: skip


BOTH = {"staging": STAGING, "prod": PRODUCTION}


class Place:
    """An environment whose kubeconfig leads to two clusters, with a helm that writes down how it is called."""

    def __init__(self, folder: Path) -> None:
        self.file, self.shared = folder / "environments" / "sample.yaml", folder / "shared"
        self.calls = folder / "calls"
        self.region: dict[str, Any] = {"kubeconfig": str(self.shared), "role": "primary"}
        self.make_current("staging")
        helm = folder / "helm"
        helm.write_text(HELM.format(python=sys.executable, calls=str(self.calls)))
        helm.chmod(0o755)
        (folder / "system").symlink_to(PROJECT / "system")
        self.file.parent.mkdir()
        yaml = YAML(typ="safe", pure=True)
        self.document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
        del self.document["reach"], self.document["recovery"], self.document["migrations"]
        self.document |= {"name": "sample", "regions": {"here": self.region}}
        self.document["releases"]["helm"] = str(helm)
        self.write()

    def write(self) -> None:
        with self.file.open("w") as file:
            YAML(typ="safe", pure=True).dump(self.document, file)

    def make_current(self, name: str) -> None:
        self.shared.write_text(kubeconfig(name, BOTH))

    def ports(self, *, looking_on: bool = False) -> Any:
        environment = wiring.read_environment(str(self.file))
        return wiring.platform(environment, SteadyClock.starting_now(), looking_on=looking_on)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def test_helm_goes_where_the_run_has_begun(place) -> None:
    ports = place.ports()
    place.make_current("prod")
    ports.releaser.deploy("green", "1.1.0", mark="ours", deadline_s=30)
    ports.releaser.restore("green", 0, deadline_s=30)
    calls = [json.loads(line) for line in place.calls.read_text().splitlines()]
    assert [call[0] for call in calls] == ["history", "upgrade", "uninstall"]
    assert all("--kube-context=staging" in call for call in calls)


def test_what_this_process_starts_later_goes_there_too(place) -> None:
    place.ports()
    place.make_current("prod")
    assert place.ports().cluster.api.configuration.host == STAGING
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, str(place.file)], cwd=PROJECT, env=os.environ, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [STAGING]


def test_a_context_that_is_named_counts_whatever_is_current(place) -> None:
    place.region["context"] = "staging"
    place.write()
    place.make_current("prod")
    assert place.ports().cluster.api.configuration.host == STAGING
    assert wiring.read_environment(str(place.file)).primary.context == "staging"


def test_an_environment_that_was_read_says_which_context_is_meant(place) -> None:
    assert wiring.read_environment(str(place.file)).primary.context == "staging"
    place.shared.unlink()
    (another := place.shared.with_name("another")).write_text("{}")
    place.region["kubeconfig"] = str(another)
    place.write()
    assert wiring.read_environment(str(place.file)).primary.context == ""


def test_helm_is_not_started_where_the_same_name_leads_to_another_cluster(place) -> None:
    ports = place.ports()
    place.shared.write_text(kubeconfig("staging", {"staging": PRODUCTION}))
    with pytest.raises(Unreachable, match=f"led to {STAGING}, and by now it leads to {PRODUCTION}"):
        ports.releaser.restore("green", 0, deadline_s=30)
    assert not place.calls.exists()


def shown(ports: Any) -> str:
    """The token that the next request shows."""
    configuration = ports.cluster.api.configuration
    configuration.refresh_api_key_hook(configuration)
    return configuration.api_key["BearerToken"].removeprefix("Bearer ")


def test_a_token_of_another_cluster_is_not_shown_to_this_one(place) -> None:
    ports = place.ports()
    place.make_current("prod")
    os.utime(place.shared, (1, 1))
    assert shown(ports) == "token-of-staging"
    place.shared.write_text(kubeconfig("staging", {"staging": PRODUCTION}).replace("token-of", "another"))
    os.utime(place.shared, (2, 2))
    assert shown(ports) == "token-of-staging"
    place.shared.write_text(kubeconfig("staging", BOTH).replace("token-of", "newer"))
    os.utime(place.shared, (3, 3))
    assert shown(ports) == "newer-staging"


def test_an_account_that_looks_on_looks_at_the_same_cluster(place, tmp_path) -> None:
    place.region["verify_kubeconfig"] = str(tmp_path / "verify")
    place.write()
    (tmp_path / "verify").write_text(kubeconfig("reader", {"reader": STAGING, "prod": PRODUCTION}))
    assert place.ports(looking_on=True).cluster.api.configuration.host == STAGING
    (tmp_path / "verify").write_text(kubeconfig("prod", {"reader": STAGING, "prod": PRODUCTION}))
    assert place.ports(looking_on=True).cluster.api.configuration.host == STAGING, "settled by now"


def test_accounts_of_another_cluster_are_refused(place, tmp_path) -> None:
    place.region |= {"verify_kubeconfig": str(tmp_path / "other"), "resilience_kubeconfig": str(tmp_path / "other")}
    place.write()
    (tmp_path / "other").write_text(kubeconfig("prod", {"prod": PRODUCTION}))
    said = f"other leads to {PRODUCTION}.* of the same region to {STAGING}"
    with pytest.raises(Unreachable, match=said):
        place.ports(looking_on=True)
    ports = place.ports()
    with pytest.raises(Unreachable, match=said):
        ports.faults.nodes.api()
