"""What an environment file says of faults: read whole, or refused with its place."""

from __future__ import annotations

import pytest

from drillbook.domain.fault import CATALOGUE
from drillbook.domain.fault_settings import FaultSettings, ObjectStorePart, VaultPart
from drillbook.domain.guard import Burn
from drillbook.run.environment import DIRECTORY, EnvironmentFileError, load

TWIN = (DIRECTORY / "twin.yaml").read_text().replace("../system", str(DIRECTORY.parent / "system"))
FAULTS = TWIN[TWIN.index("\nfaults:\n") : TWIN.index("\nguard:\n")]


def read(tmp_path, text):
    path = tmp_path / "twin.yaml"
    path.write_text(text.replace("pipeline: ../.gitlab-ci.yml\n", ""))
    return load(path)


def refused(tmp_path, text):
    with pytest.raises(EnvironmentFileError) as raised:
        read(tmp_path, text)
    return str(raised.value)


def test_each_key_that_a_fault_needs_is_one_that_the_file_has():
    needed = {key for fault in CATALOGUE.values() for key in fault.needs}
    assert needed == set(FaultSettings.__dataclass_fields__)


def test_the_twins_file_says_what_may_be_hit(tmp_path):
    found = read(tmp_path, TWIN)
    assert found.faults.nodes == ("use1-n1", "use1-n2")
    assert found.faults.dns.deployment == "coredns"
    assert found.faults.link.regions == ("us-east-1", "us-west-2")
    assert (found.faults.disk.claim, found.faults.disk.reserve_mib) == ("data-postgres-0", 256)
    assert found.faults.disk.group is None
    assert found.primary.resilience_kubeconfig.name == "us-east-1-resilience.yaml"
    assert found.guard.resilience_pods_share == 1
    assert found.guard.resilience_burn == Burn(0.9, 60.0)


def test_files_are_looked_for_beside_the_file_that_names_them(tmp_path):
    section = """
faults:
  vault: {url: "http://vault", token: "file:secrets/token", unseal_key: "env:KEY"}
  objectstore: {url: "https://store/", machines: [use1-n2], port: 8334, ca_file: ca.crt}
"""
    found = read(tmp_path, TWIN.replace(FAULTS, section)).faults
    assert found.vault == VaultPart("http://vault", f"file:{tmp_path}/secrets/token", "env:KEY")
    assert found.objectstore == ObjectStorePart("https://store/", ("use1-n2",), 8334, f"{tmp_path}/ca.crt")


def test_a_volume_that_is_written_by_its_group_is_named_with_it(tmp_path):
    section = FAULTS.replace("    user: 10001\n", "    user: 101\n    group: 103\n")
    found = read(tmp_path, TWIN.replace(FAULTS, section)).faults
    assert (found.disk.user, found.disk.group) == (101, 103)


def test_without_the_section_there_are_no_faults(tmp_path):
    assert read(tmp_path, TWIN.replace(FAULTS, "")).faults is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("  machines: [use1-n2]", "  machinse: [use1-n2]"), "faults has no key 'machinse'; did you mean 'machines'"),
        (("deployment: coredns, ", ""), "faults.dns lacks deployment"),
        (("memory: 128Mi", 'memory: ""'), 'faults.pressure.memory is ""'),
        (("cpu: 500m", "cpu: a lot"), 'faults.pressure.cpu is "a lot"'),
        (("selector: k8s-app=kube-dns", "selector: everything"), 'faults.dns.selector is "everything"'),
        (("token: file:/var", "token: s.secret:/var"), "faults.vault.token is"),
        (("regions: [us-east-1, us-west-2], slow", "regions: [us-east-1], slow"), "faults.link.regions is"),
        (("burn: {bad_share: 0.9, for: 60 s}", "burn: {bad_share: 0.9, for: 1 h}"), "guard.resilience.burn.for is 1 h"),
        (("resilience: {pods_share: 1,", "resilience: {pods_shares: 1,"), "did you mean 'pods_share'"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(tmp_path, change, says):
    assert change[0] in TWIN
    assert says in refused(tmp_path, TWIN.replace(*change))
