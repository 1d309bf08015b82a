"""Nothing in the shipped code hands text from outside to something that runs it, or trusts what nobody vouches for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = ("drillbook", "probes", "loadtests", "features", "examples", "benchmarks", "system")
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
RUNS_BY_SHELL = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "commands.getoutput"}
RUNS_BYTES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
UNVERIFIED = {"_create_unverified_context", "CERT_NONE", "disable_warnings"}
SAFE_YAML = {"safe", "rt"}


def sources() -> list[Path]:
    found = [path for name in SHIPPED for path in (PROJECT / name).rglob("*.py")]
    assert len(found) > 100
    return found


def findings(tree: ast.AST) -> list[tuple[int, str]]:
    """Line and name of each thing that has no place here."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [(node.lineno, name) for name in modules if name.partition(".")[0] in RUNS_BYTES | {"yaml"}]
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            found += [(node.lineno, name)] if name in UNVERIFIED else []
        if isinstance(node, ast.Call):
            found += [(node.lineno, what) for what in of_call(node)]
    return found


def of_call(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    found = [name] if name in RUNS_TEXT | RUNS_BY_SHELL else []
    found += [
        f"{key}={given[key]}" for key, bad in (("shell", "False"), ("verify", "True")) if given.get(key, bad) != bad
    ]
    found += ["check_hostname=False"] if given.get("check_hostname") == "False" else []
    if name.rpartition(".")[2] == "YAML" and ast.literal_eval(given.get("typ", "'rt'")) not in SAFE_YAML:
        found.append(f"YAML(typ={given['typ']})")
    if name.rpartition(".")[2] == "YAML" and given.get("pure") != "True":
        found.append("YAML without pure=True")
    return found


def test_nothing_dangerous_is_called():
    found = [
        f"{path.relative_to(PROJECT)}:{line}: {what}"
        for path in sources()
        for line, what in findings(ast.parse(path.read_text(encoding="utf-8")))
        if (path.name, what) not in ALLOWED
    ]
    assert found == []


# The YAML of kubeconfigs is read by the cluster's own client, whose errors are caught by this name.
# boto3 takes the authorities that a server is verified against under the name that turns verification off elsewhere.
ALLOWED = {("kubeconfig.py", "yaml"), ("backups.py", "verify=str(authority().certificate)")}


@pytest.mark.parametrize(
    "code",
    [
        "eval(text)", "exec(text)", "os.system(text)", "subprocess.run(text, shell=True)",
        "subprocess.Popen(a, shell=on)",
        "import pickle", "from marshal import loads", "import yaml",
        "YAML(typ='unsafe', pure=True)", "YAML(typ='safe')",
        "requests.get(url, verify=False)", "ssl._create_unverified_context()", "context.verify_mode = ssl.CERT_NONE",
        "f(check_hostname=False)",
    ],
)  # fmt: skip
def test_each_of_them_would_be_seen(code):
    assert findings(ast.parse(code))


def test_what_is_fine_is_not_reported():
    fine = "YAML(typ='safe', pure=True).load(text)\nsubprocess.run([a], shell=False)\nrequests.get(url, verify=True)\n"
    assert findings(ast.parse(fine)) == []
