"""Which cluster a kubeconfig leads to, by what it says itself: nobody is asked, and no command in it is run."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KubeConfigMerger
from yaml import YAMLError

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

UNUSABLE = (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the cluster's own client raises for a kubeconfig that is missing a part, damaged or just being written."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Access:
    """One context of a kubeconfig, with the cluster that it led to when it was looked at.

    Attributes:
        kubeconfig: The file.
        context: The context's name.
        server: URL of the cluster's API.
        authority: Digest of the certificates that the server is verified against; empty for the machine's usual ones.
    """

    kubeconfig: Path
    context: str
    server: str
    authority: str

    def is_same_cluster(self, other: Access) -> bool:
        """Whether both lead to one server, verified against the same certificates."""
        return (self.server, self.authority) == (other.server, other.authority)

    def see(self) -> None:
        """See that the file still leads there under this name.

        Raises:
            Unreachable: When it does not, or cannot be read.
        """
        found = access(self.kubeconfig, self.context)
        if not self.is_same_cluster(found):
            raise Unreachable(
                f"the context {self.context!r} of the kubeconfig {self.kubeconfig} led to {self.server}, and by now it "
                f"leads to {found.server}{_unlike(self, found)}: nothing is done there; write the file as it was"
            )


def access(kubeconfig: Path, context: str = "") -> Access:
    """Where a kubeconfig leads.

    Args:
        kubeconfig: The file.
        context: In it; the one that is current now when empty.

    Raises:
        Unreachable: When the file is missing or malformed, or lacks the context.
    """
    if not kubeconfig.is_file():
        raise Unreachable(f"the kubeconfig {kubeconfig} does not exist; name the right one in the environment file")
    try:
        content: Any = KubeConfigMerger(str(kubeconfig)).config
        name = context or str(content["current-context"])
        cluster = content["contexts"].get_with_name(name)["context"]["cluster"]
        settings = cast("dict[str, object]", content["clusters"].get_with_name(cluster)["cluster"].value)
        return Access(kubeconfig, name, _server(str(settings["server"])), _authority(kubeconfig, settings))
    except UNUSABLE as error:
        raise Unreachable(unusable(kubeconfig, context, error)) from error


def token_file(access: Access) -> Path | None:
    """The file in which a context's user has his token; None when he has none of its own.

    Raises:
        Exception: Any of `UNUSABLE`, when the kubeconfig cannot be read.
    """
    content: Any = KubeConfigMerger(str(access.kubeconfig)).config
    name = content["contexts"].get_with_name(access.context)["context"].safe_get("user")
    user = content["users"].get_with_name(name, safe=True)
    found = user["user"].safe_get("tokenFile") if user is not None else None
    return access.kubeconfig.parent / str(found) if found else None


def the_same_cluster(main: Access, other: Access) -> Access:
    """The other one.

    Raises:
        Unreachable: When it leads elsewhere than the main one.
    """
    if not main.is_same_cluster(other):
        raise Unreachable(
            f"the kubeconfig {other.kubeconfig} leads to {other.server} (context {other.context!r}), and "
            f"{main.kubeconfig} of the same region to {main.server}{_unlike(main, other)}: give both the same server "
            "and certificate-authority"
        )
    return other


def unusable(kubeconfig: Path, context: str, error: Exception) -> str:
    """Why a kubeconfig cannot be used, in a sentence."""
    chosen = f" with the context {context!r}" if context else ""
    return f"the kubeconfig {kubeconfig} cannot be used{chosen}: {error}"


def _unlike(one: Access, other: Access) -> str:
    return ", with another certificate-authority" if one.server == other.server else ""


def _server(url: str) -> str:
    """The same for every way to write one address."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def _authority(kubeconfig: Path, cluster: dict[str, object]) -> str:
    """The same for certificates in the kubeconfig and in a file beside it, whatever is written around them."""
    if data := cluster.get("certificate-authority-data"):
        text = base64.b64decode(str(data))
    elif name := cluster.get("certificate-authority"):
        text = (kubeconfig.parent / str(name)).read_bytes()
    else:
        return ""
    found = sorted({b"".join(body.split()) for body in _CERTIFICATE.findall(text)})
    return hashlib.sha256(b"\n".join(found or [text.strip()])).hexdigest()
