"""`python -m examples.kinto install | uninstall`: Kinto in the twin, which has to be up.

Both may be run again at any time. Somewhere else the same is done by whoever installs the application: an image, a
Secret, a database, two charts and a name.
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import requests

from drillbook.twin import images, services
from drillbook.twin.kubectl import ClusterError, Kubectl, wait_until
from drillbook.twin.layers import SITE_PACKAGES, Debian, Sources, Wheels
from drillbook.twin.layout import CLIENT, PROFILES, state_directory
from drillbook.twin.network import inside
from drillbook.twin.oci import Command
from drillbook.twin.rootfs import PYTHON_ROOT

HERE = Path(__file__).resolve().parent
NAMESPACE = "kinto"
PUBLIC_NAME = "kinto.drillbook.test"
VERSIONS = ("1.0.0", "1.1.0", "1.2.0-bad")
"""Of the image: the same Kinto, told apart by what it says of itself; the first is installed."""
REGION = PROFILES["staging"].regions[0]
_READY_WITHIN_S = 180.0
_LIBRARIES = replace(PYTHON_ROOT, name="kinto-libraries", packages=(*PYTHON_ROOT.packages, "libstdc++6"))
"""Python's root with what Kinto's JSON library needs besides."""


def image(version: str) -> images.Image:
    """Kinto with the few lines that sign its answers."""
    return images.Image(
        "kinto", version,
        (*images.PYTHON, Debian(_LIBRARIES, below=PYTHON_ROOT), Wheels("kinto-wheels", "example"), Sources("kinto", (
            ("examples/kinto/serve.py", f"{SITE_PACKAGES}/kinto_serve.py"),
        ))),
        Command(("/usr/bin/python3", "-m", "kinto_serve"), environment={
            "VERSION": version, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }, ports=(8888,)),
    )  # fmt: skip


def install() -> None:
    """Build, publish, install the first release, and wait until the public name serves it."""
    built = images.build([image(version) for version in VERSIONS], _say)
    prometheus = next(found for found in images.all_images() if found.name == "prometheus").reference
    with inside(CLIENT.namespace):
        images.publish(built, services.REGISTRY_URL, _say)
        kubectl = _kubectl()
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}])
        _give_database(kubectl)
        _say("charts")
        _helm("kinto-platform", HERE / "platform", f"--set=prometheus.image={prometheus}")
        _helm("kinto-blue", HERE / "slot", "--set=slot=blue", f"--set=version={VERSIONS[0]}")
        kubectl.wait_pods(NAMESPACE, deadline_s=_READY_WITHIN_S)
        addresses = [worker.address for worker in REGION.workers]
        services.set_addresses({PUBLIC_NAME: addresses})
        wait_until(lambda: _silence(addresses[0]), deadline_s=60)
    _say(f"serves as http://{PUBLIC_NAME}")


def uninstall() -> None:
    """Remove everything but the images."""
    with inside(CLIENT.namespace):
        kubectl = _kubectl()
        services.set_addresses({PUBLIC_NAME: []})
        kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=55s")
        _sql(kubectl, "drop database if exists kinto with (force)")
        _sql(kubectl, "drop role if exists kinto")


def _give_database(kubectl: Kubectl) -> None:
    """A role, a database and the Secret that names them; made once."""
    found = kubectl.run("get", "secret", "kinto", f"--namespace={NAMESPACE}", "--ignore-not-found", "--output=name")
    if found.strip():
        return
    password = secrets.token_urlsafe(18)
    _sql(kubectl, "drop database if exists kinto with (force)")
    _sql(kubectl, "drop role if exists kinto")
    _sql(kubectl, f"create role kinto login password '{password}'")
    _sql(kubectl, "create database kinto owner kinto template template0 encoding 'UTF8'")
    # SQLAlchemy would take another driver than the one that Kinto comes with.
    url = f"postgresql+psycopg2://kinto:{password}@postgres.data.svc.cluster.local:5432/kinto"
    data = {"database": base64.b64encode(url.encode()).decode()}
    meta = {"name": "kinto", "namespace": NAMESPACE}
    kubectl.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}])


def _sql(kubectl: Kubectl, statement: str) -> None:
    """As the superuser; by standard input, since a process list shows arguments to everybody."""
    psql = ("psql", "--host=/run/postgresql", "--username=postgres", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    kubectl.run("exec", "--stdin", "--namespace=data", "postgres-0", "--", *psql, text=f"{statement};\n")


def _helm(release: str, chart: Path, *settings: str) -> None:
    command = [
        str(state_directory() / "bin" / "helm"), "upgrade", "--install", release, str(chart), *settings,
        f"--namespace={NAMESPACE}", f"--kubeconfig={REGION.kubeconfig}", "--timeout=180s",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode != 0:
        raise ClusterError(f"installing {release} failed: {done.stderr.strip()}")


def _silence(address: str) -> str:
    url = f"http://{address}/v1/__heartbeat__"
    try:
        answer = requests.get(url, headers={"Host": PUBLIC_NAME}, timeout=3)
    except requests.RequestException as error:
        return f"{PUBLIC_NAME} does not answer: {error}"
    return "" if answer.ok else f"{PUBLIC_NAME} answers {answer.status_code}: {json.dumps(answer.text[:200])}"


def _kubectl() -> Kubectl:
    return Kubectl(state_directory() / "bin" / "kubectl", REGION.kubeconfig)


def _say(text: str) -> None:
    sys.stdout.write(f"kinto: {text}\n")
    sys.stdout.flush()


def main() -> int:
    """What the command line says; 0 when it is done, 1 when it is not, 2 when it is not understood."""
    work = {"install": install, "uninstall": uninstall}.get(" ".join(sys.argv[1:]))
    if work is None:
        sys.stderr.write("usage: python -m examples.kinto install | uninstall\n")
        return 2
    try:
        work()
    except FileNotFoundError as error:
        sys.stderr.write(f"kinto: {error}; is the twin up? drillbook twin up\n")
        return 1
    except (ClusterError, services.ServiceError) as error:
        sys.stderr.write(f"kinto: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
