"""Nodes forget the images that have changed under their tags, and no other."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from drillbook.twin import stale_images
from drillbook.twin.kubectl import ClusterError
from drillbook.twin.layout import PROFILES

NODE = PROFILES["staging"].regions[0].workers[0]
OURS, OTHER = "registry.test:5000/analytics:1.0.0", "registry.test:5000/scoring:1.0.0"
LISTED = f"""\
REF                                       TYPE                                       DIGEST     SIZE     PLATFORMS   LABELS
{OURS}                                    application/vnd.oci.image.manifest.v1+json sha256:old 60.1 MiB linux/amd64 io.cri-containerd.image=managed
registry.test:5000/analytics@sha256:old   application/vnd.oci.image.manifest.v1+json sha256:old 60.1 MiB linux/amd64 io.cri-containerd.image=managed
{OTHER}                                   application/vnd.oci.image.manifest.v1+json sha256:two 60.1 MiB linux/amd64 io.cri-containerd.image=managed
"""  # noqa: E501 - as it is printed


def built(reference, digest):
    return SimpleNamespace(reference=reference, layout=SimpleNamespace(digest=digest))


@pytest.fixture
def asked(monkeypatch):
    """What the node's containerd was asked."""
    found: list[list[str]] = []

    def run(command, **_given):
        found.append(command)
        return subprocess.CompletedProcess(command, 0, LISTED, "")

    monkeypatch.setattr(stale_images.machines, "enter_command", lambda _machine, command: list(command))
    monkeypatch.setattr(stale_images.subprocess, "run", run)
    return found


def test_an_image_that_has_changed_under_its_tag_is_forgotten(asked) -> None:
    images = [built(OURS, "sha256:new"), built(OTHER, "sha256:two"), built("registry.test:5000/x:1", "sha256:x")]
    assert stale_images.forget(NODE, images) == [OURS]
    assert [command[3:] for command in asked] == [["list"], ["remove", OURS]]


def test_a_node_that_has_what_the_registry_has_is_left_alone(asked) -> None:
    assert stale_images.forget(NODE, [built(OURS, "sha256:old"), built(OTHER, "sha256:two")]) == []
    assert [command[3:] for command in asked] == [["list"]]


def test_a_containerd_that_refuses_is_told(asked, monkeypatch) -> None:
    del asked
    refusal = subprocess.CompletedProcess([], 1, "", "no such socket\n")
    monkeypatch.setattr(stale_images.subprocess, "run", lambda _command, **_given: refusal)
    with pytest.raises(ClusterError, match="use1-n1 refused list: no such socket"):
        stale_images.forget(NODE, [])
