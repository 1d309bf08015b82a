"""All that the twin builds, brought together: programs, images and manifests, from the cache when they are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.twin import addons, golang, images
from drillbook.twin.cache import Cache
from drillbook.twin.kubernetes import Components
from drillbook.twin.services import REGISTRY_URL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Built:
    """What `twin up` needs.

    Attributes:
        programs: The Go programs.
        images: Container images, on disk.
        gateway_api: Directory of the Gateway API's resource definitions.
    """

    programs: golang.Binaries
    images: tuple[images.BuiltImage, ...]
    gateway_api: Path

    @property
    def components(self) -> Components:
        """The Kubernetes programs."""
        return Components(self.programs.kubernetes)

    @property
    def kubectl(self) -> Path:
        """Path of kubectl."""
        return self.programs.kubectl

    @property
    def helm(self) -> Path:
        """Path of Helm."""
        return self.programs.helm

    def image(self, name: str) -> str:
        """Reference of an image that has one tag only."""
        return next(built.reference for built in self.images if built.image.name == name)

    def publish(self, say: Callable[[str], None]) -> None:
        """Put the images into the twin's registry; to be called inside the twin's network."""
        images.publish(self.images, REGISTRY_URL, say)


def build(say: Callable[[str], None]) -> Built:
    """Build what the cache lacks.

    Raises:
        BuildError: When a program or an image does not build.
    """
    programs = golang.build_all(say)
    gateway_api = addons.gateway_api_definitions(golang.toolchain(say))
    return Built(programs, tuple(images.build_all(say, binaries=programs)), gateway_api)


def registry_storage() -> Path:
    """Where the registry keeps its blobs; content-addressed, so that it may outlive a twin."""
    return Cache().root / "registry"
