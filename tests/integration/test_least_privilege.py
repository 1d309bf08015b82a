"""What the harness' accounts may do on the twin: what the chart grants, what drills need, and nothing beside."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from drillbook.twin import accounts
from drillbook.twin.layout import CLIENT, PROFILES, state_directory

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytestmark = pytest.mark.twin

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "system" / "charts" / "drillbook"
REGION = PROFILES["staging"].regions[0]
NAMESPACES = ("analytics", "drillbook", "data", "monitoring", "gateway", "vault", "kube-system", "default")
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = (
    ("", "pods"), ("", "pods/exec"), ("", "pods/log"), ("", "pods/eviction"), ("", "secrets"), ("", "configmaps"),
    ("", "services"), ("", "serviceaccounts"), ("", "serviceaccounts/token"), ("", "events"), ("", "endpoints"),
    ("", "persistentvolumeclaims"), ("apps", "deployments"), ("apps", "deployments/scale"), ("apps", "statefulsets"),
    ("apps", "statefulsets/scale"),
    ("apps", "daemonsets"), ("apps", "replicasets"), ("batch", "jobs"), ("batch", "cronjobs"),
    ("coordination.k8s.io", "leases"), ("policy", "poddisruptionbudgets"),
    ("gateway.networking.k8s.io", "httproutes"), ("gateway.networking.k8s.io", "gateways"),
    ("networking.k8s.io", "networkpolicies"), ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
)  # fmt: skip
CLUSTER_WIDE = (
    ("", "nodes"), ("", "namespaces"), ("", "persistentvolumes"), ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"), ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
)  # fmt: skip
OURS = "drillbook-test-of-rights"


def kubectl(kubeconfig: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [
        "nsenter", f"--net=/run/netns/{CLIENT.namespace}", str(state_directory() / "bin" / "kubectl"),
        f"--kubeconfig={kubeconfig}", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)


def reviewed(account: str, questions: list[dict[str, Any]]) -> list[bool]:
    """What the API server itself says to the account about its rights, all in one call."""
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": question},
        }
        for question in questions
    ]  # fmt: skip
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    done = kubectl(REGION.account_kubeconfig(account), "create", "-o", "json", "-f", "-", text=document)
    assert done.returncode == 0, done.stderr
    answers = list(documents(done.stdout))
    assert len(answers) == len(questions)
    return [bool(answer["status"].get("allowed")) for answer in answers]


def documents(text: str) -> Iterator[dict[str, Any]]:
    """kubectl prints one JSON document after the other, and wraps them in no list."""
    decoder, start = json.JSONDecoder(), 0
    while start < len(text):
        document, start = decoder.raw_decode(text, start)
        yield document
        start += len(text[start:]) - len(text[start:].lstrip())


@cache
def rendered() -> list[dict[str, Any]]:
    """The chart's objects, as it renders them for the twin."""
    text = subprocess.run(
        [
            str(state_directory() / "bin" / "helm"), "template", "drillbook", str(CHART), "--namespace=drillbook",
            "--kube-version=1.34.0", "--values=-",
        ],
        input=json.dumps(accounts.values(REGION)), capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    objects = [found for found in YAML(typ="safe", pure=True).load_all(text) if found]
    # Nodes belong to no namespace; who may drain them is bound to their names.
    wide = [found for found in objects if found["kind"].startswith("Cluster")]
    assert {found["metadata"]["name"] for found in wide} == {"drillbook-resilience"}
    assert all(rule["resourceNames"] for found in wide for rule in found.get("rules", ()))
    return objects


@cache
def granted(account: str) -> dict[str, list[dict[str, Any]]]:
    """Namespace to the rules of every Role that is bound to the account; those of ClusterRoles under `""`."""
    objects = rendered()
    subject = f"drillbook-{account}"
    wide = {
        found["roleRef"]["name"]
        for found in objects
        if found["kind"] == "ClusterRoleBinding" and subject in {it["name"] for it in found["subjects"]}
    }
    bound = {
        (found["metadata"]["namespace"], found["roleRef"]["name"])
        for found in objects
        if found["kind"] == "RoleBinding" and subject in {it["name"] for it in found["subjects"]}
    }
    rules: dict[str, list[dict[str, Any]]] = {}
    for found in objects:
        namespace = found["metadata"].get("namespace", "")
        if found["kind"] == "Role" and (namespace, found["metadata"]["name"]) in bound:
            rules.setdefault(namespace, []).extend(found["rules"])
        if found["kind"] == "ClusterRole" and found["metadata"]["name"] in wide:
            rules.setdefault("", []).extend(found["rules"])
    return rules


def told(account: str, namespace: str) -> list[dict[str, Any]]:
    """All that the account may do in a namespace, as the API server tells it."""
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}
    }  # fmt: skip
    # To validate it, kubectl would list the kinds that the cluster knows, which the account may not.
    options = ("create", "--validate=false", "-o", "json", "-f", "-")
    done = kubectl(REGION.account_kubeconfig(account), *options, text=json.dumps(review))
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)["status"]
    assert not status["incomplete"], status
    return status["resourceRules"]


def single(rules: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Verb, group, resource and name of everything that rules allow; every name is the empty one."""
    return {
        (verb, group, resource, name)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    }


def by_chart(account: str, question: dict[str, str]) -> bool:
    return any(
        question["group"] in rule["apiGroups"]
        and full(question) in rule["resources"]
        and question["verb"] in rule["verbs"]
        and (not rule.get("resourceNames") or question["name"] in rule["resourceNames"])
        for rule in granted(account).get(question["namespace"], [])
    )


def asked(namespaces: tuple[str, ...], resources: tuple[tuple[str, str], ...]) -> Iterator[dict[str, str]]:
    names = (
        "", "analytics", "analytics-blue", "analytics-database", "analytics-green-pods", "environment", "postgres",
        "postgres-orders", "scoring",
    )  # fmt: skip
    elsewhere = ("", "environment", "postgres", "postgres-orders")
    for namespace in namespaces:
        for group, resource in resources:
            plain, _, sub = resource.partition("/")
            for verb in VERBS:
                for name in names if namespace in {"analytics", "drillbook"} else elsewhere:
                    yield {
                        "namespace": namespace, "group": group, "resource": plain, "subresource": sub, "verb": verb,
                        "name": name,
                    }  # fmt: skip


def full(question: dict[str, str]) -> str:
    return question["resource"] + (f"/{question['subresource']}" if question["subresource"] else "")


EVERYBODY = {
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews", ""),
    ("create", "authorization.k8s.io", "selfsubjectrulesreviews", ""),
    ("create", "authentication.k8s.io", "selfsubjectreviews", ""),
}
"""https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles: what `system:basic-user` grants."""


@pytest.mark.parametrize("account", accounts.ACCOUNTS)
def test_the_cluster_grants_what_the_chart_says_and_nothing_else(account):
    namespaces = kubectl(REGION.kubeconfig, "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").stdout
    assert set(NAMESPACES) <= set(namespaces.split())
    rules = granted(account)
    for namespace in namespaces.split():
        expected = single([*rules.get(namespace, []), *rules.get("", [])]) | EVERYBODY
        assert single(told(account, namespace)) == expected, namespace


@pytest.mark.parametrize("account", accounts.ACCOUNTS)
def test_asked_one_by_one_it_answers_the_same(account):
    """Of each kind as such, and of each name where the chart allows anything with the kind."""
    every = list(asked(NAMESPACES, RESOURCES))
    kinds = {(question["namespace"], full(question)) for question in every if by_chart(account, question)}
    assert kinds
    questions = [it for it in every if not it["name"] or (it["namespace"], full(it)) in kinds]
    differing = []
    for start in range(0, len(questions), 400):
        part = questions[start : start + 400]
        for question, allowed in zip(part, reviewed(account, part), strict=True):
            expected = by_chart(account, question)
            if allowed != expected:
                differing.append((question, allowed))
    assert differing == []


@pytest.mark.parametrize("account", accounts.ACCOUNTS)
def test_nothing_is_granted_for_the_cluster_as_a_whole(account):
    questions = [
        {"group": group, "resource": resource, "verb": verb} for group, resource in CLUSTER_WIDE for verb in VERBS
    ]
    questions += [
        {"group": group, "resource": resource, "verb": "list"} for group, resource in RESOURCES if "/" not in resource
    ]
    assert not any(reviewed(account, questions))


@pytest.mark.parametrize("account", accounts.ACCOUNTS)
def test_no_rule_has_a_wildcard(account):
    for rules in granted(account).values():
        for rule in rules:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"], *rule.get("resourceNames", [])]


def test_verifying_changes_nothing():
    verbs = {verb for rules in granted("verify").values() for rule in rules for verb in rule["verbs"]}
    assert verbs <= {"get", "list"}
    resources = {name for rules in granted("verify").values() for rule in rules for name in rule["resources"]}
    assert "secrets" not in resources


REFUSED = {
    "verify": [
        ("get", "secrets", "-n", "analytics"),
        ("delete", "pods", "--all", "-n", "analytics", "--dry-run=server"),
        ("create", "configmap", OURS, "-n", "drillbook"),
        (
            "patch",
            "httproute",
            "analytics",
            "-n",
            "analytics",
            "--type=merge",
            "-p",
            '{"metadata":{"labels":{"a":"b"}}}',
        ),
        ("scale", "deployment/analytics-blue", "--replicas=0", "-n", "analytics"),
    ],
    "release": [
        ("get", "secrets", "-n", "data"),
        ("get", "secrets", "-A"),
        ("get", "nodes"),
        ("get", "deployments", "-n", "analytics"),
        ("delete", "pod", "--all", "-n", "analytics", "--dry-run=server"),
        ("delete", "deployment", "scoring", "-n", "analytics", "--dry-run=server"),
        ("delete", "httproute", "analytics", "-n", "analytics", "--dry-run=server"),
        ("delete", "lease", "environment", "-n", "drillbook", "--dry-run=server"),
        ("create", "configmap", OURS, "-n", "analytics"),
        ("create", "namespace", OURS),
        ("create", "token", "drillbook-release", "-n", "drillbook"),
        ("create", "rolebinding", OURS, "-n", "analytics", "--role=drillbook-release", "--user=me"),
        ("create", "clusterrolebinding", OURS, "--clusterrole=cluster-admin", "--user=me"),
        ("get", "pods", "-n", "analytics", "--as=system:admin"),
    ],
    "resilience": [
        ("get", "secrets", "-n", "analytics"),
        ("get", "secrets", "-n", "data"),
        ("get", "nodes"),
        ("delete", "node", "use1-n1", "--dry-run=server"),
        ("delete", "pod", "--all", "-n", "monitoring", "--dry-run=server"),
        ("delete", "pod", "--all", "-n", "kube-system", "--dry-run=server"),
        ("scale", "deployment/scoring", "--replicas=0", "-n", "analytics"),
        ("delete", "deployment", "coredns", "-n", "kube-system", "--dry-run=server"),
        ("create", "configmap", OURS, "-n", "drillbook"),
        ("create", "token", "drillbook-release", "-n", "drillbook"),
    ],
}


@pytest.mark.parametrize(
    ("account", "command"), [(account, command) for account, commands in REFUSED.items() for command in commands],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else value,
)  # fmt: skip
def test_what_is_not_granted_is_refused_when_it_is_tried(account, command):
    done = kubectl(REGION.account_kubeconfig(account), *command)
    assert done.returncode != 0
    assert "Forbidden" in done.stderr or "forbidden" in done.stderr, done.stderr


@pytest.fixture
def lease() -> Generator[None]:
    """The lock, which no run may have taken yet on a new twin."""
    document = {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "environment", "namespace": "drillbook", "labels": {OURS: "made"}},
    }  # fmt: skip
    made = kubectl(REGION.kubeconfig, "create", "-f", "-", text=json.dumps(document))
    assert made.returncode == 0 or "AlreadyExists" in made.stderr, made.stderr
    yield
    kubectl(REGION.kubeconfig, "delete", "lease", "-n", "drillbook", f"--selector={OURS}=made")


@pytest.mark.usefixtures("lease")
def test_the_same_is_allowed_to_the_administrator():
    """So that a refusal above is about rights, and not about a command that could never succeed."""
    for account, commands in REFUSED.items():
        for command in commands:
            dry = command if command[0] == "get" or "--dry-run=server" in command else (*command, "--dry-run=server")
            if command[:2] == ("create", "token") or "--as=system:admin" in command:
                continue
            done = kubectl(REGION.kubeconfig, *dry)
            assert done.returncode == 0, (account, command, done.stderr)


def test_tokens_are_private_and_end_within_a_day():
    for region in PROFILES["staging"].regions:
        for account in accounts.ACCOUNTS:
            path = region.account_kubeconfig(account)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            body = json.loads(path.read_text())["users"][0]["user"]["token"].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            assert claims["exp"] - claims["iat"] <= accounts.TOKEN_LASTS_H * 3600
            assert claims["sub"] == f"system:serviceaccount:drillbook:drillbook-{account}"


def test_the_twins_environment_has_no_administrator():
    text = (PROJECT / "environments" / "twin.yaml").read_text()
    for region in PROFILES["staging"].regions:
        assert str(region.account_kubeconfig("release")) in text
        assert str(region.kubeconfig) not in text


@pytest.mark.slow
def test_a_whole_drill_works_with_exactly_what_is_granted(tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-m", "drillbook", "verify", "--wait", "600", "--only", "cutover", "--environment", "twin",
            "--runs", str(tmp_path),
        ],
        cwd=PROJECT, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
