"""Makes the reference platform's packages importable: they are installed in images, not here."""

from __future__ import annotations

import sys
from pathlib import Path

_SYSTEM = Path(__file__).resolve().parents[3] / "system"
for _directory in ("app", "scoring", "secrets"):
    sys.path.insert(0, str(_SYSTEM / _directory))
