"""The list of images, and what reaches the registry."""

from __future__ import annotations

import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

import pytest

from drillbook.twin import images, layers, oci
from drillbook.twin.oci import Command, Entry, Layout
from drillbook.twin.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def test_each_image_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name and tag has one meaning, and a Debian version that no tag may hold is cut."""
    monkeypatch.setattr(layers.packages, "versions", lambda names: dict.fromkeys(names, "1:2.42.0+ds-5~deb12u1"))
    references = [image.reference for image in images.all_images()]
    assert len(set(references)) == len(references)
    assert "registry.drillbook.test:5000/analytics:1.2.0-bad" in references
    assert "registry.drillbook.test:5000/prometheus:2.42.0" in references


def test_a_debian_program_brings_the_files_that_it_reads(tmp_path: Path) -> None:
    """As files, below their directories."""
    template = tmp_path / "default.tmpl"
    template.write_text("text")
    part = layers.DebianProgram("true", "coreutils", (str(template),))
    oci.write_layer(tmp_path / "layer.tar", part.entries(cast("layers.Workshop", None), tmp_path))
    with tarfile.open(tmp_path / "layer.tar") as archive:
        members = {member.name: member.isfile() for member in archive}
    assert members["usr/local/bin/true"]
    assert members[str(template)[1:]]
    assert members[str(tmp_path)[1:]] is False


def test_releases_share_all_their_layers() -> None:
    """They differ in what the image says of itself."""
    one, two = images.analytics("1.0.0"), images.analytics("1.1.0", {"DEFECT_DELAY_MS": "5"})
    assert one.parts == two.parts
    assert one.command.environment["VERSION"] == "1.0.0"
    assert two.command.environment["DEFECT_DELAY_MS"] == "5"


class _Refusing(BaseHTTPRequestHandler):
    """A registry that holds nothing and takes nothing."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def do_POST(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"no room")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing_registry() -> Generator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _image(directory: Path) -> images.BuiltImage:
    layer = oci.write_layer(directory / "layer.tar", [Entry("a", "file", content=b"a")])
    (directory / "image").mkdir()
    command = Command(("/a",))
    oci.write_layout(directory / "image", "a:1", [layer], command, {})
    return images.BuiltImage(images.Image("a", "1", (), command), Layout.load(directory / "image"))


def test_a_registry_that_refuses_is_quoted(tmp_path: Path, refusing_registry: str) -> None:
    """The error has what it was asked, and its answer."""
    with pytest.raises(RegistryError, match="did not begin an upload to a: it answered 503 no room"):
        images.publish([_image(tmp_path)], refusing_registry)
