"""A cluster's client that asks nobody: it answers from a table and writes down which rights each request would take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client
from kubernetes.client.rest import RESTResponse

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, order=True)
class Right:
    """What a request takes, as RBAC has it; `namespace` is empty for what belongs to the cluster as a whole."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str


class RecordedApi(client.ApiClient):
    """Answers are given by method and path, for example `GET /api/v1/nodes/n1`; a number is a refusal."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        super().__init__(client.Configuration(host="https://cluster.example"))
        self.answers = answers or {}
        self.rights: list[Right] = []
        self.bodies: list[Any] = []

    def call_api(self, method, url, header_params=None, body=None, post_params=None, _request_timeout=None):  # noqa: ARG002
        path = urlsplit(url).path
        assert _request_timeout, f"{method} {path} might never come back"
        self.rights.append(right(method, path))
        self.bodies.append(body)
        answer = self.answers.get(f"{method} {path}", {})
        status, document = (answer, {"kind": "Status"}) if isinstance(answer, int) else (200, answer)
        headers = {"content-type": "application/json"}
        data = json.dumps(document).encode()
        return RESTResponse(SimpleNamespace(status=status, reason="", headers=headers, data=data))


def right(method: str, path: str) -> Right:
    """What a request takes, by its method and path."""
    parts = path.strip("/").split("/")
    group, rest = (parts[1], parts[3:]) if parts[0] == "apis" else ("", parts[2:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0], rest[1] if len(rest) > 1 else ""
    verb = "list" if method == "GET" and not name else _VERBS[method]
    return Right(namespace, group, "/".join([resource, *rest[2:]]), verb, name)
