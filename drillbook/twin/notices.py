"""The twin's receiver of notices: who is told of a recovery can be asked what arrived."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.domain.communication import AUDIENCES
from drillbook.twin.layout import REGISTRY_ADDRESS, SERVICES, state_directory
from drillbook.twin.machines import Program
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8065
URL = f"http://{REGISTRY_ADDRESS}:{PORT}"
_SOURCE = Path(__file__).resolve().parents[2] / "system" / "notices" / "receiver.py"


def program() -> Program:
    """The receiver, from a copy of its source: it outlives the checkout that started it."""
    directory = SERVICES.directory / "notices"
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_SOURCE, directory / "receiver.py")
    tokens = directory / "tokens.json"
    if not tokens.is_file():
        write_private(tokens, json.dumps({audience: secrets.token_urlsafe(24) for audience in AUDIENCES}))
    _write_hooks(json.loads(tokens.read_text()))
    python = str(Path(sys.executable).resolve())
    arguments = (f"{REGISTRY_ADDRESS}:{PORT}", str(tokens), str(directory / "messages.jsonl"))
    return Program("notices", (python, "-I", str(directory / "receiver.py"), *arguments))


def _write_hooks(tokens: Mapping[str, str]) -> None:
    """What environments/twin.yaml names as the channels' URLs."""
    for audience, token in tokens.items():
        write_private(state_directory() / "notices" / audience, f"{URL}/hooks/{token}")
