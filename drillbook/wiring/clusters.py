"""Settles which cluster each kubeconfig of an environment means; a part of `drillbook.wiring`.

Where the environment names no context, the one that is current when it is first read is meant from then on, by whatever
this process starts as well: anybody may choose another one while a run goes on.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from drillbook.drivers import kubeconfig
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.environment import Environment, RegionAccess
    from drillbook.drivers.kubeconfig import Access

VARIABLE = "DRILLBOOK_CONTEXTS"
"""Environment variable with the contexts that were settled: a JSON object, from the kubeconfig's path to the name."""


def settled(environment: Environment) -> Environment:
    """The environment with the name of each region's context; left empty where its kubeconfig cannot be read.

    Whoever connects says what is wrong with such a file.
    """
    for region in environment.regions.values():
        for path in (region.verify_kubeconfig, region.resilience_kubeconfig):
            if path is not None:
                _context(path)
    regions = {
        name: region if region.context else replace(region, context=_context(region.kubeconfig))
        for name, region in environment.regions.items()
    }
    return replace(environment, regions=regions)


def access(region: RegionAccess) -> Access:
    """The way to a region's cluster.

    Raises:
        Unreachable: When its kubeconfig is missing or malformed, or lacks the context.
    """
    return kubeconfig.access(region.kubeconfig, region.context or _context(region.kubeconfig))


def access_of_another_account(main: Access, path: Path) -> Access:
    """The way to the same cluster under another account.

    Raises:
        Unreachable: When that kubeconfig is missing or malformed, or leads elsewhere.
    """
    return kubeconfig.the_same_cluster(main, kubeconfig.access(path, _context(path)))


def _context(path: Path) -> str:
    """The context that is meant where none is named; empty when that cannot be told."""
    known: dict[str, str] = json.loads(os.environ.get(VARIABLE, "{}"))
    if str(path) not in known:
        try:
            known[str(path)] = kubeconfig.access(path).context
        except Unreachable:
            return ""
        os.environ[VARIABLE] = json.dumps(known)
    return known[str(path)]
