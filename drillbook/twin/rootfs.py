"""Root file systems of Debian packages, for the twin's images: unpacked, not installed, and stripped.

Unpacking runs no maintainer script, starts nothing and takes seconds; what the scripts would have made (accounts, the
bundle of certificate authorities, compiled Python) is made here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin import packages
from drillbook.twin.cache import Cache, Progress, file_digest, silent
from drillbook.twin.errors import TwinError

if TYPE_CHECKING:
    from collections.abc import Sequence

USER = 10001
PYTHON = "3.11"
CODENAME = "bookworm"

_DEADLINE_S = 600.0
_SOURCES = Path("/etc/apt")
_SUITES = re.compile(r"^Suites:(.*(?:\n[ \t]+.*)*)", re.MULTILINE)
_UNWANTED = (
    "dev/*", "proc/*", "sys/*", "run/*", "boot", "media", "mnt", "opt", "srv", "home", "lib32", "libx32",
    "usr/lib32", "usr/libx32", "var/cache/*", "var/lib/apt", "var/lib/dpkg", "var/log/*", "etc/apt", "etc/dpkg",
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/i18n",
    "usr/share/perl5", "usr/share/perl", "usr/share/bash-completion", "usr/share/common-licenses", "usr/share/menu",
    "usr/share/zoneinfo/right", "usr/share/zoneinfo/posix", "usr/share/pixmaps", "usr/share/applications",
    "usr/lib/*/gconv", "usr/lib/*/perl*", "usr/lib/*/audit", "usr/lib/apt", "usr/lib/dpkg", "usr/lib/systemd",
    "usr/bin/perl*", "usr/bin/openssl", "usr/bin/localedef", "usr/sbin/*",
)  # fmt: skip


class RootError(TwinError):
    """A root file system was not made; the text says what is in the way."""


@dataclass(frozen=True, slots=True)
class Root:
    """What a root file system holds.

    Attributes:
        name: For the cache and for people.
        packages: Debian packages, without those that they depend on.
        without: Patterns of paths to leave out, besides documentation and the like.
        account: Name of user 10001.
        directories: Writable directories of that user.
        compiled: Directory whose Python is compiled beforehand, so that pods start quickly.
    """

    name: str
    packages: tuple[str, ...]
    without: tuple[str, ...] = ()
    account: str = "app"
    directories: tuple[str, ...] = ()
    compiled: str = ""


_BASE = ("libc6", "libc-bin", "libgcc-s1", "ca-certificates", "tzdata")

BASE = Root("base", _BASE)
PYTHON_ROOT = Root(
    "python",
    (*_BASE, f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib"),
    ("usr/lib/python3*/lib2to3", "usr/lib/python3*/ensurepip", "usr/lib/python3*/test", "usr/lib/python3*/pydoc_data"),
    compiled=f"usr/lib/python{PYTHON}",
)
CPP = Root("cpp", (*_BASE, "libstdc++6"))
"""What wheels with C++ in them look for, as numpy's and pyarrow's do."""

POSTGRES = Root(
    "postgres",
    # The shell and its tools are for archive and restore commands, which PostgreSQL hands to `sh`.
    (*_BASE, "postgresql-15", "postgresql-client-15", "pgbackrest", "dash", "coreutils", "sed", "grep", "findutils"),
    # Compiling queries (LLVM) is half of what the package needs, and nothing to our short queries.
    (
        "usr/lib/*/libLLVM*", "usr/lib/*/libz3*", "usr/lib/postgresql/15/lib/bitcode",
        "usr/lib/postgresql/15/lib/llvmjit*", "usr/lib/*/libperl*", "usr/share/postgresql-common",
        "usr/share/postgresql/15/man", "usr/share/vim", "usr/lib/udev", "etc/init.d", "etc/cron*", "etc/logrotate.d",
        "usr/lib/python3*", "usr/share/python3*", "usr/share/debconf",
    ),
    account="postgres",
    directories=("run/postgresql", "var/lib/postgresql", "var/lib/pgbackrest", "var/log/pgbackrest"),
)  # fmt: skip


def tree(root: Root, *, cache: Cache | None = None, progress: Progress = silent) -> Path:
    """The directory of a root file system, made when the cache does not hold it.

    Raises:
        RootError: When it cannot be made here.
    """

    def build(directory: Path) -> None:
        progress(f"{root.name} root: unpacking Debian packages (about 20 s)")
        _unpack(root, directory)
        _finish(root, directory / "tree")

    return (cache or Cache()).obtain(f"root-{root.name}", inputs(root), build, progress=progress) / "tree"


def inputs(root: Root) -> dict[str, str]:
    """All that decides what a root holds.

    Of the packages' versions those count that this machine has installed: asking for all would need fresh package
    lists, and the twin has to start without them.
    """
    return {
        "recipe": file_digest(Path(__file__)),
        "root": repr(root),
        "codename": CODENAME,
        "installed": repr(packages.versions(root.packages)),
    }


def compile_python(root_tree: Path, directory: Path, shown_as: str) -> None:
    """Compile a directory's Python with the interpreter of a root, so that this machine's own does not matter.

    Args:
        root_tree: Tree of `PYTHON_ROOT`.
        directory: What to compile.
        shown_as: Its absolute path in the image, for tracebacks.

    Raises:
        RootError: When something does not compile.
    """
    libraries = [d for d in (root_tree / "usr/lib").glob("*-linux-gnu") if d.is_dir()]
    loader = next(iter(sorted((root_tree / "usr").glob("lib*/ld-linux-*.so.*"))), None)
    loader = loader or next(iter(sorted((root_tree / "usr/lib").glob("*/ld-linux-*.so.*"))), None)
    if loader is None:
        message = f"the Python root {root_tree} has no dynamic loader; delete it and build again"
        raise RootError(message)
    _run(
        [
            str(loader.resolve()), "--library-path", ":".join(map(str, libraries)),
            str(root_tree / f"usr/bin/python{PYTHON}"), "-S", "-m", "compileall", "-q", "-f",
            # Never compared with the source: the image does not change, and checking costs a stat for each import.
            "--invalidation-mode", "unchecked-hash", "-s", str(directory), "-p", shown_as, str(directory),
        ],
        {"PYTHONHOME": str(root_tree / "usr"), "PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")},
        "compiling Python",
    )  # fmt: skip


def debian_sources(into: Path) -> list[Path]:
    """This machine's apt sources of Debian itself, written into a directory; those of others are left out.

    Raises:
        RootError: When the release itself is not among them.
    """
    suites = {CODENAME, f"{CODENAME}-updates", f"{CODENAME}-security"}
    parts = _SOURCES / "sources.list.d"
    found = [*sorted(parts.glob("*.sources")), *sorted(parts.glob("*.list")), _SOURCES / "sources.list"]
    kept: dict[str, list[str]] = {".sources": [], ".list": []}
    there: set[str] = set()
    for path in found:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".sources":
            for paragraph in re.split(r"\n\s*\n", text):
                wanted = [suite for suite in _suites_of(paragraph) if suite in suites]
                if wanted:
                    kept[".sources"].append(_with_suites(paragraph, wanted).strip() + "\n")
                    there.update(wanted)
        else:
            lines = [line for line in text.splitlines() if _suite_of_line(line) in suites]
            kept[".list"] += lines
            there.update(map(_suite_of_line, lines))
    if CODENAME not in there:
        message = f"no apt source for Debian {CODENAME} itself in {_SOURCES}; the images are made of its packages"
        raise RootError(message)
    written: list[Path] = []
    for suffix, parts in kept.items():
        if parts:
            written.append(into / f"debian{suffix}")
            written[-1].write_text("\n".join(parts) + "\n", encoding="utf-8")
    return written


def _suites_of(paragraph: str) -> list[str]:
    if re.search(r"^Enabled:\s*no", paragraph, re.MULTILINE | re.IGNORECASE):
        return []
    if not re.search(r"^Types:.*\bdeb\b(?!-)", paragraph, re.MULTILINE):
        return []
    field = _SUITES.search(paragraph)
    return field[1].split() if field else []


def _with_suites(paragraph: str, suites: Sequence[str]) -> str:
    """The same source with fewer suites: one of Debian's can have others beside, as cloud images have backports."""
    return _SUITES.sub(f"Suites: {' '.join(suites)}", paragraph)


def _suite_of_line(line: str) -> str:
    found = re.match(r"deb\s+(?:\[[^]]*\]\s+)?\S+\s+(\S+)\s", line)
    return found[1] if found else ""


def _unpack(root: Root, directory: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        message = "mmdebstrap is not installed; `drillbook twin doctor` lists what is missing"
        raise RootError(message)
    options = [f"--aptopt={line}" for line in _apt_settings()]
    _run(
        [
            "mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--include={','.join(root.packages)}",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", *options, CODENAME, str(directory / "tree"),
            *map(str, debian_sources(directory)),
        ],
        {**os.environ, "SOURCE_DATE_EPOCH": "0", "TMPDIR": str(directory)},
        f"unpacking the packages of the {root.name} root",
    )  # fmt: skip


def _apt_settings() -> list[str]:
    """How this machine reaches its mirror: proxies and checks, but none of its own paths."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=False)
    wanted = re.compile(r'Acquire::(https?|Check-|Retries)[^ ]* "[^"]+";', re.IGNORECASE)
    return [line for line in done.stdout.splitlines() if wanted.fullmatch(line)]


def _finish(root: Root, top: Path) -> None:
    authorities = sorted((top / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = "".join(path.read_text(encoding="utf-8") for path in authorities)
    _drop(top, ("usr/share/ca-certificates", *_UNWANTED, *root.without))
    _write(top / "etc/ssl/certs/ca-certificates.crt", bundle)
    _write(top / "etc/passwd", (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        f"{root.account}:x:{USER}:{USER}:{root.account}:/tmp:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ))  # fmt: skip
    _write(top / "etc/group", f"root:x:0:\n{root.account}:x:{USER}:\nnogroup:x:65534:\n")
    _write(top / "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    _write(top / "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    for name in ("proc", "sys", "dev", "run", "etc"):
        (top / name).mkdir(exist_ok=True)
    shutil.rmtree(top / "tmp", ignore_errors=True)
    (top / "tmp").mkdir()
    (top / "tmp").chmod(0o1777)
    if not (top / "var/run").is_symlink():
        shutil.rmtree(top / "var/run", ignore_errors=True)
        (top / "var").mkdir(exist_ok=True)
        (top / "var/run").symlink_to("/run")
    for name in root.directories:
        path = top / name
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, USER, USER)
        path.chmod(0o750)
    if root.compiled:
        (top / "usr/bin/python3").unlink(missing_ok=True)
        (top / "usr/bin/python3").symlink_to(f"python{PYTHON}")
        compile_python(top, top / root.compiled, f"/{root.compiled}")


def _drop(top: Path, patterns: Sequence[str]) -> None:
    for parent, directories, files in os.walk(top):
        inside = Path(parent).relative_to(top)
        for name in [*directories, *files]:
            path = Path(parent) / name
            if not any(fnmatch(str(inside / name), pattern) for pattern in patterns):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
                directories.remove(name)
            else:
                path.unlink()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def _run(command: Sequence[str], environment: dict[str, str], what: str) -> None:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_DEADLINE_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        message = f"{what} did not end within {_DEADLINE_S:.0f} s; is the Debian mirror reachable?"
        raise RootError(message) from error
    if done.returncode != 0:
        message = f"{what} failed: {(done.stderr or done.stdout).strip()[-1500:]}"
        raise RootError(message)
