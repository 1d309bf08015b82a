"""The twin's real images, from a real registry, in a real container runtime."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from drillbook.twin import golang, images
from drillbook.twin.cache import Cache
from drillbook.twin.registry import Registry, RegistryError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.twin.conftest import Runtime

_WARM_S = 5.0


@pytest.fixture(scope="session")
def built() -> tuple[images.BuiltImage, ...]:
    """All images; from the machine's cache where it holds them."""
    return images.build_all(print)


@pytest.fixture(scope="session", autouse=True)
def published(built: tuple[images.BuiltImage, ...], registry_url: str) -> images.Published:
    """All of them in the registry."""
    return images.publish(built, registry_url, print)


def test_all_images_are_published_once(
    built: tuple[images.BuiltImage, ...], published: images.Published, registry_url: str
) -> None:
    """The first publication sends every image, the second none."""
    assert len(published.pushed) == len(built)
    again = images.publish(built, registry_url)
    assert again == images.Published((), 0)


def test_nothing_is_built_twice(built: tuple[images.BuiltImage, ...]) -> None:
    """A second build takes what is there."""
    lines: list[str] = []
    started_s = time.monotonic()
    assert images.build_all(lines.append) == built
    assert time.monotonic() - started_s < _WARM_S
    assert lines == []


def test_a_further_version_costs_a_manifest(registry_url: str) -> None:
    """All versions of the application share their layers."""
    version = images.build([images.analytics("9.9.9")])
    sent = images.publish(version, registry_url)
    assert len(sent.pushed) == 1
    assert sent.sent_bytes < 10_000


@pytest.mark.parametrize(
    ("name", "command", "said"),
    [
        ("coredns", ("/usr/local/bin/coredns", "-plugins"), "kubernetes"),
        ("traefik", ("/usr/local/bin/traefik", "version"), "3.7.15"),
        ("seaweedfs", ("/usr/local/bin/weed", "version"), "4.48"),
        ("openbao", ("/usr/local/bin/bao", "version"), "OpenBao v2.7.2"),
        ("prometheus", ("/usr/local/bin/prometheus", "--version"), "prometheus, version"),
        ("alertmanager", ("/usr/local/bin/prometheus-alertmanager", "--version"), "alertmanager, version"),
        ("postgres", ("/usr/lib/postgresql/15/bin/postgres", "--version"), "PostgreSQL) 15."),
        ("postgres", ("/bin/sh", "-c", "pgbackrest version"), "pgBackRest"),
        ("scoring", ("/usr/bin/python3", "-c", "import scoring; print(scoring.score(0))"), "0.5"),
        ("secrets-copy", ("/usr/bin/python3", "-c", "import copier; print(copier.ORIGIN)"), "copy-of"),
        ("analytics", ("/usr/bin/python3", "-c", "import analytics.api, sys; print(sys.version)"), "3.11."),
    ],
)
def test_programs_run_in_their_image(
    built: tuple[images.BuiltImage, ...], runtime: Runtime, name: str, command: tuple[str, ...], said: str
) -> None:
    """Each image has all that its program needs, on a read-only root, as user 10001."""
    image = next(b.image for b in built if b.image.name == name)
    done = runtime.run(f"{name}:{image.tag}", *command)
    assert said in done.stdout + done.stderr, done.stderr


def test_the_application_is_compiled_beforehand(runtime: Runtime) -> None:
    """No module that the service imports is compiled at the start of a pod."""
    program = (
        "import sys, pathlib, analytics.__main__ as m; "
        "print([n for n, v in list(sys.modules.items()) "
        "if type(getattr(v, '__loader__', None)).__name__ == 'SourceFileLoader' "
        "and not pathlib.Path(v.__cached__).is_file()])"
    )
    done = runtime.run("analytics:1.1.0", "/usr/bin/python3", "-c", program)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_release_without_its_settings_says_which(runtime: Runtime) -> None:
    """The image knows its version; the rest is the chart's."""
    done = runtime.run("analytics:1.0.0")
    assert done.returncode != 0
    assert "SLOT is not set" in done.stderr


def test_pause_lives_until_it_is_told_to_end(built: tuple[images.BuiltImage, ...], runtime: Runtime) -> None:
    """The first process of a pod waits, and ends at SIGTERM."""
    tag = next(b.image.tag for b in built if b.image.name == "pause")
    reference = f"{runtime.registry}/pause:{tag}"
    runtime.ctr("images", "pull", "--plain-http", reference)
    address = str(runtime.socket)
    process = subprocess.Popen(["ctr", "--address", address, "run", "--rm", reference, "pause"])
    try:
        deadline_s = time.monotonic() + 15
        while "RUNNING" not in runtime.ctr("tasks", "list").stdout:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        runtime.ctr("tasks", "kill", "--signal", "SIGTERM", "pause")
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_registry_that_does_not_answer_is_named(built: tuple[images.BuiltImage, ...]) -> None:
    """The error says which address and what was asked."""
    with pytest.raises(RegistryError, match=r"the registry at http://127\.0\.0\.1:1 did not answer HEAD"):
        images.publish(built[:1], "http://127.0.0.1:1")


def test_a_damaged_registry_is_not_taken_for_whole(
    built: tuple[images.BuiltImage, ...], registry_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A layer that lost bytes, as after a power cut, is noticed before a node pulls it."""
    pause = next(b for b in built if b.image.name == "pause")
    layer = next(iter(pause.layout.blobs)).removeprefix("sha256:")
    storage = next(tmp_path_factory.getbasetemp().glob("registry*/storage"))
    data = storage / "docker/registry/v2/blobs/sha256" / layer[:2] / layer / "data"
    whole = data.read_bytes()
    try:
        data.write_bytes(whole[:-1])
        assert not Registry(registry_url).holds("pause", pause.image.tag, pause.layout)
        with pytest.raises(RegistryError, match="its storage is damaged"):
            images.publish([pause], registry_url)
    finally:
        data.write_bytes(whole)


def test_the_same_sources_make_the_same_bytes(tmp_path: Path) -> None:
    """Two cold builds of the application give the same image; that in the cache may have older packages of Debian's."""
    image, binaries = images.analytics("1.0.0"), golang.build_all()
    one, other = (images.build([image], cache=Cache(tmp_path / name), binaries=binaries) for name in ("one", "other"))
    assert one[0].layout.digest == other[0].layout.digest
