"""Gives a kubeconfig its token from a file, a variable or Vault: the program that its `exec` section names.

    users:
    - name: drillbook
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1
          command: drillbook
          args: [credential, "vault:secret/data/staging#token"]
          interactiveMode: Never

The form is ExecCredential of the Kubernetes API group client.authentication.k8s.io.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

LASTS_S = 900.0
"""Seconds after which clients ask again at the latest, since nothing tells how long a token of a vault will count.

Python's client takes five minutes off, so that one of no more than these would be asked for before every request.
"""

_API_VERSION = "client.authentication.k8s.io/v1"


def document(token: str, asked: str, now_s: float) -> str:
    """What a client of Kubernetes reads.

    Args:
        token: The credential.
        asked: What the variable KUBERNETES_EXEC_INFO holds: the client's request, JSON; its version is answered.
        now_s: Seconds since the epoch.
    """
    until = datetime.fromtimestamp(now_s, UTC) + timedelta(seconds=LASTS_S)
    return json.dumps(
        {
            "apiVersion": _version(asked),
            "kind": "ExecCredential",
            "status": {"token": token, "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")},
        }
    )


def _version(asked: str) -> str:
    try:
        return str(json.loads(asked)["apiVersion"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _API_VERSION
