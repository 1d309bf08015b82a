"""What the charts render for each environment, asked of the real helm and promtool."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from drillbook.twin import golang

CHARTS = Path(__file__).resolve().parents[3] / "system" / "charts"
ENVIRONMENTS = ("development", "staging", "production")
_SLOT = ("--set=slot=green", "--set=version=1.1.0")
_STANDBY = ("--set=role=standby", "--set=region=us-west-2", "--set=postgres.primaryHost=10.77.1.11")
_BACKED_UP = (
    "--set=backup.enabled=true", "--set=postgres.storage.kind=local", "--set=postgres.storage.node=n1",
    "--set=postgres.storage.path=/volumes/postgres", "--set=objectstore.storage.kind=local",
    "--set=objectstore.storage.node=n2", "--set=objectstore.storage.path=/volumes/objectstore",
    ("--set-json=backup.repositories=["
    '{"host":"east.test","port":30333,"region":"east"},{"host":"west.test","port":30333,"region":"west"}]'),
)  # fmt: skip
_SENT_ON = ("--set=objectstore.replication.enabled=true", "--set=openbao.tlsSecret=openbao-tls")
_COPIED = (
    *_STANDBY, "--set=openbao.tlsSecret=openbao-tls", "--set=secretsCopy.enabled=true",
    "--set=secretsCopy.source=https://vault.east.test:8210",
)  # fmt: skip
_RENDERED = [
    pytest.param(chart, environment, arguments, id=f"{chart}-{environment}-{name}")
    for environment in ENVIRONMENTS
    for chart, name, arguments in (
        ("analytics", "primary", _SLOT),
        ("analytics", "secondary", (*_SLOT, "--set=region=us-west-2")),
        ("platform", "primary", ()),
        ("platform", "standby", _STANDBY),
        ("platform", "backed-up", _BACKED_UP),
        ("platform", "sent-on", _SENT_ON),
        ("platform", "copied", _COPIED),
    )
]


@cache
def _helm() -> str:
    return str(golang.build_all().helm)


def _run(command: str, chart: str, environment: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    directory = CHARTS / chart
    # A chart that asks for a version is judged against the one it will meet.
    given = (f"--values={directory / f'values-{environment}.yaml'}", "--kube-version=1.34.0", *arguments)
    named = (command, chart, str(directory)) if command == "template" else (command, str(directory))
    return subprocess.run([_helm(), *named, *given], capture_output=True, text=True, timeout=60, check=False)


def _objects(chart: str, environment: str, *arguments: str) -> list[dict[str, Any]]:
    rendered = _run("template", chart, environment, "--namespace=analytics", *arguments)
    assert rendered.returncode == 0, rendered.stderr
    return [found for found in YAML(typ="safe").load_all(rendered.stdout) if found]


def _pods(objects: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{found['kind']}/{found['metadata']['name']}", found["spec"]["template"]["spec"])
        for found in objects
        if found["kind"] in {"Deployment", "StatefulSet", "Job"}
    ] + [
        (f"CronJob/{found['metadata']['name']}", found["spec"]["jobTemplate"]["spec"]["template"]["spec"])
        for found in objects
        if found["kind"] == "CronJob"
    ]


@pytest.mark.parametrize(("chart", "environment", "arguments"), _RENDERED)
def test_a_chart_is_clean_for_each_environment(chart: str, environment: str, arguments: tuple[str, ...]) -> None:
    linted = _run("lint", chart, environment, "--strict", "--quiet", *arguments)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(("chart", "environment", "arguments"), _RENDERED)
def test_every_pod_is_bounded_and_restricted(chart: str, environment: str, arguments: tuple[str, ...]) -> None:
    pods = _pods(_objects(chart, environment, *arguments))
    assert pods
    for name, pod in pods:
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}, name
            security = container["securityContext"]
            assert not security["allowPrivilegeEscalation"], name
            assert security["readOnlyRootFilesystem"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), name


def test_files_are_sent_from_where_the_store_is_and_secrets_are_fetched_by_the_other_region() -> None:
    sent = dict(_pods(_objects("platform", "staging", *_SENT_ON)))
    containers = {it["name"]: it for it in sent["StatefulSet/objectstore"]["containers"]}
    assert "-filerPath=/buckets/files" in containers["replication"]["command"]
    assert "-initialSnapshot" not in containers["replication"]["command"]
    assert "Deployment/secrets-copy" not in sent
    copied = dict(_pods(_objects("platform", "staging", *_COPIED)))
    (copier,) = copied["Deployment/secrets-copy"]["containers"]
    given = {it["name"]: it["value"] for it in copier["env"]}
    assert (given["SOURCE"], given["INTERVAL_S"]) == ("https://vault.east.test:8210", "10")
    assert len(copied["StatefulSet/objectstore"]["containers"]) == 1


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_pod_has_time_to_leave(environment: str) -> None:
    (deployment,) = (o for o in _objects("analytics", environment, *_SLOT) if o["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    settings = {entry["name"]: entry.get("value") for entry in container["env"]}
    sleep_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed_s = sleep_s + float(settings["DRAIN_SECONDS"]) + float(settings["LONGEST_REQUEST_SECONDS"])
    assert sleep_s > 0
    assert pod["terminationGracePeriodSeconds"] > needed_s
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize(
    ("environment", "region", "arguments", "replicas"),
    [
        ("staging", "us-east-1", (), 2),
        ("staging", "us-west-2", (), 1),
        ("development", "us-east-1", (), 1),
        ("staging", "us-east-1", ("--set=replicas=0",), 0),
    ],
)
def test_a_region_has_its_number_of_pods(
    environment: str, region: str, arguments: tuple[str, ...], replicas: int
) -> None:
    objects = _objects("analytics", environment, *_SLOT, f"--set=region={region}", *arguments)
    (deployment,) = (o for o in objects if o["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == replicas


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_eviction_is_always_possible_and_never_takes_the_last_pod_of_several(environment: str) -> None:
    objects = _objects("analytics", environment, *_SLOT)
    (deployment,) = (o for o in objects if o["kind"] == "Deployment")
    for budget in (o["spec"] for o in objects if o["kind"] == "PodDisruptionBudget"):
        assert 0 < budget["minAvailable"] < deployment["spec"]["replicas"]


def test_defects_reach_the_service_under_its_names() -> None:
    bad = ("--set=defects.errorShare=0.1", "--set=defects.minRps=20", "--set=defects.readyLies=1")
    (deployment,) = (o for o in _objects("analytics", "staging", *_SLOT, *bad) if o["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {e["name"]: e.get("value") for e in container["env"]}
    found = {name: value for name, value in environment.items() if name.startswith("DEFECT_")}
    assert found == {"DEFECT_ERROR_SHARE": "0.1", "DEFECT_MIN_RPS": "20", "DEFECT_READY_LIES": "1"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_public_rule_is_the_last_and_starts_on_blue_alone(environment: str) -> None:
    (route,) = (o for o in _objects("platform", environment) if o["kind"] == "HTTPRoute")
    *by_slot, public = route["spec"]["rules"]
    assert [rule["backendRefs"][0]["name"] for rule in by_slot] == ["analytics-blue", "analytics-green"]
    assert [(ref["name"], ref["weight"]) for ref in public["backendRefs"]] == [
        ("analytics-blue", 100),
        ("analytics-green", 0),
    ]


@pytest.mark.parametrize(
    ("chart", "arguments", "says"),
    [
        ("analytics", ("--set=slot=red", "--set=version=1.1.0"), "/slot"),
        ("analytics", ("--set=slot=blue", "--set=version=latest"), "/version"),
        ("analytics", (*_SLOT, "--set=defects.errorShare=ten"), "/defects/errorShare"),
        ("analytics", (*_SLOT, "--set=replica=2"), "replica"),
        ("analytics", (*_SLOT, "--set=replicas=-1"), "/replicas"),
        ("platform", ("--set=role=standby",), "postgres.primaryHost"),
        ("platform", ("--set=role=leader",), "/role"),
        ("platform", ("--set=postgres.storage.kind=local",), "postgres.storage.node"),
        ("platform", ("--set=gateway.nodePort=80",), "/gateway/nodePort"),
    ],
)
def test_a_wrong_value_is_refused_by_name(chart: str, arguments: tuple[str, ...], says: str) -> None:
    refused = _run("template", chart, "staging", *arguments)
    assert refused.returncode != 0
    assert says in refused.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_prometheus_accepts_its_configuration(environment: str, tmp_path: Path) -> None:
    for found in _objects("platform", environment):
        if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "prometheus":
            for name, text in found["data"].items():
                (tmp_path / name).write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    checked = _promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "rules_test.yml").read_text()
    case = tmp_path / "rules_test.yml"
    case.write_text(text.replace("RULES", str(CHARTS / "platform" / "files" / "rules.yml")))
    tested = _promtool("test", "rules", str(case))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("pod", "setting"),
    [
        ("StatefulSet/postgres", "postgres.maxConnections=77"),
        ("StatefulSet/postgres", "postgres.walKeepMb=77"),
        ("Deployment/prometheus", "prometheus.scrapeInterval.serving=7s"),
        ("Deployment/alertmanager", "alertmanager.webhookUrl=http://elsewhere.test/"),
    ],
)
def test_a_pod_is_replaced_when_what_it_reads_has_changed(pod: str, setting: str) -> None:
    def checksum(*arguments: str) -> str:
        objects = {f"{it['kind']}/{it['metadata']['name']}": it for it in _objects("platform", "staging", *arguments)}
        return objects[pod]["spec"]["template"]["metadata"]["annotations"]["checksum/configuration"]

    assert checksum(f"--set={setting}") != checksum()
    assert checksum() == checksum()


def test_a_region_knows_whom_its_primary_asks_and_reads_orders_that_no_chart_owns() -> None:
    objects = _objects("platform", "staging", "--set=postgres.peerHost=10.77.2.11", "--set=postgres.leaseSeconds=5")
    pod = next(pod for name, pod in _pods(objects) if name == "StatefulSet/postgres")
    environment = {variable["name"]: variable for variable in pod["containers"][0]["env"]}
    assert environment["PEER_HOST"]["value"] == "10.77.2.11"
    assert environment["LEASE_S"]["value"] == "5"
    reference = environment["ORDERS"]["valueFrom"]["configMapKeyRef"]
    assert reference["optional"]
    names = {found["metadata"]["name"] for found in objects if found["kind"] == "ConfigMap"}
    assert reference["name"] not in names
    configuration = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == "postgres")
    assert "guard.sh" in configuration["data"]


def test_a_standby_asks_its_primary_before_it_may_be_one() -> None:
    pod = next(pod for name, pod in _pods(_objects("platform", "staging", *_STANDBY)) if name == "StatefulSet/postgres")
    environment = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    assert environment["PEER_HOST"] == environment["PRIMARY_HOST"] != ""


def _harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_helm(), "template", "drillbook", str(CHARTS / "drillbook"), "--kube-version=1.34.0", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _harness_objects(*arguments: str) -> list[dict[str, Any]]:
    rendered = _harness(*arguments)
    assert rendered.returncode == 0, rendered.stderr
    return [found for found in YAML(typ="safe").load_all(rendered.stdout) if found]


def _roles(*arguments: str) -> list[dict[str, Any]]:
    return [found for found in _harness_objects(*arguments) if found["kind"] == "Role"]


def test_the_right_to_recover_is_given_only_when_asked_for_and_names_what_it_is_about() -> None:
    assert not [role for role in _roles() if role["metadata"]["namespace"] == "data"]
    (role,) = [role for role in _roles("--set=accounts.recovery=true") if role["metadata"]["namespace"] == "data"]
    changing = [rule for rule in role["rules"] if set(rule["verbs"]) - {"list", "create"}]
    assert all(rule["resourceNames"] for rule in changing)
    assert not [rule for rule in role["rules"] if "secrets" in rule["resources"] or "delete" in rule["verbs"]]


def _reaper(folder: Path, adapter: str, *arguments: str) -> tuple[str, ...]:
    environment = folder / "staging.yaml"
    environment.write_text(f"name: staging\nworkload:\n  adapter: {adapter}\n")
    return ("--set=reaper.enabled=true", f"--set-file=reaper.environment={environment}", *arguments)


def _beside_the_reaper(*arguments: str) -> dict[str, str]:
    (found,) = (it for it in _harness_objects(*arguments) if it["kind"] == "ConfigMap")
    return found["data"]


@pytest.mark.parametrize("named", ["adapter.py:KintoWorkload", "/etc/drillbook/adapter.py:KintoWorkload"])
def test_the_reaper_has_an_adapter_that_is_a_file_beside_its_environment(tmp_path: Path, named: str) -> None:
    adapter = CHARTS.parents[1] / "examples" / "kinto" / "adapter.py"
    data = _beside_the_reaper(*_reaper(tmp_path, named, f"--set-file=reaper.adapter={adapter}"))
    assert data["adapter.py"] == adapter.read_text()
    assert set(data) == {"staging.yaml", "kubeconfig.yaml", "adapter.py"}


@pytest.mark.parametrize("named", ["loadtests.analytics:AnalyticsWorkload", "/opt/own/adapter.py:Own"])
def test_an_adapter_that_the_reapers_image_has_is_not_asked_for(tmp_path: Path, named: str) -> None:
    assert set(_beside_the_reaper(*_reaper(tmp_path, named))) == {"staging.yaml", "kubeconfig.yaml"}


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("adapter.py:Own", "reaper.adapter: the text of adapter.py, by --set-file"),
        ("../own/adapter.py:Own", "has to name adapter.py without its folder"),
    ],
)
def test_a_reaper_is_not_installed_without_the_adapter_that_it_would_need(
    tmp_path: Path, named: str, told: str
) -> None:
    refused = _harness(*_reaper(tmp_path, named))
    assert refused.returncode != 0
    assert told in refused.stderr


@pytest.mark.parametrize(("environment", "mounted"), [("development", False), ("staging", True), ("production", True)])
def test_pods_get_the_key_of_sessions_where_there_is_one(environment: str, mounted: bool) -> None:
    (deployment,) = (o for o in _objects("analytics", environment, *_SLOT) if o["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    named = {it["name"]: it.get("value") for it in pod["containers"][0]["env"]}
    assert named.get("SESSION_KEY_FILE") == ("/run/secrets/sessions/key" if mounted else None)
    secrets = [it["secret"]["secretName"] for it in pod["volumes"] if "secret" in it]
    assert ("analytics-sessions" in secrets) is mounted
