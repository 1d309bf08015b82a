"""Which cluster a kubeconfig leads to."""

from __future__ import annotations

import base64
import json

import pytest

from drillbook.drivers.kubeconfig import access, the_same_cluster
from drillbook.ports import Unreachable

ONE = "-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\nR0hJ\n-----END CERTIFICATE-----\n"


@pytest.fixture
def written(tmp_path):
    """Writes a kubeconfig with one context, `here`."""

    def write(name: str, server: str = "https://api.test:6443", **cluster: str):
        document = {
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        }
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("server", ["https://api.test:6443", "https://API.test:6443/", "https://api.test:6443//"])
def test_one_address_is_written_in_several_ways(written, server) -> None:
    assert access(written("a", server)).server == "https://api.test:6443"


@pytest.mark.parametrize("server", ["https://api.test", "https://api.test:443/"])
def test_the_usual_port_may_be_left_out(written, server) -> None:
    assert access(written("a", server)).server == "https://api.test:443"


def test_an_authority_is_the_same_in_the_file_and_beside_it(written, tmp_path) -> None:
    (tmp_path / "ca.crt").write_text(f"# of the cluster\r\n{TWO}\n{ONE}")
    beside = access(written("a", **{"certificate-authority": "ca.crt"}))
    within = access(written("b", **{"certificate-authority-data": data(ONE + TWO)}))
    assert beside.is_same_cluster(within)
    assert the_same_cluster(beside, within) is within


@pytest.mark.parametrize(
    ("server", "text", "said"),
    [
        ("https://api.test:6443", TWO, "with another certificate-authority"),
        ("https://other.test:6443", ONE, "leads to https://other.test:6443"),
        ("https://api.test:6443/k8s/clusters/c-2", ONE, "leads to https://api.test:6443/k8s/clusters/c-2"),
    ],
)
def test_another_cluster_is_refused_with_what_is_different(written, server, text, said) -> None:
    main = access(written("a", **{"certificate-authority-data": data(ONE)}))
    other = access(written("b", server, **{"certificate-authority-data": data(text)}))
    with pytest.raises(Unreachable, match=said):
        the_same_cluster(main, other)


def test_a_file_that_leads_elsewhere_by_now_is_seen(written) -> None:
    before = access(written("a", **{"certificate-authority-data": data(ONE)}))
    before.see()
    written("a", **{"certificate-authority-data": data(TWO)})
    with pytest.raises(Unreachable, match="with another certificate-authority: nothing is done there"):
        before.see()


@pytest.mark.parametrize("context", ["", "here"])
def test_the_context_is_told_by_name(written, context) -> None:
    assert access(written("a"), context).context == "here"


def test_a_context_that_is_not_there_is_said(written) -> None:
    with pytest.raises(Unreachable, match="cannot be used with the context 'gone'"):
        access(written("a"), "gone")


@pytest.mark.parametrize("content", ["", "{}", "- one", "{unclosed", '{"current-context": null}'])
def test_a_file_that_is_no_kubeconfig_is_said(tmp_path, content) -> None:
    (tmp_path / "k").write_text(content)
    with pytest.raises(Unreachable, match="cannot be used"):
        access(tmp_path / "k")
    with pytest.raises(Unreachable, match="does not exist"):
        access(tmp_path / "nowhere")
