"""What is told where whoever holds a database's connections does not end."""

from __future__ import annotations

import pytest

from drillbook.drivers import held_connections
from drillbook.drivers.held_connections import HeldConnections
from drillbook.ports import Unreachable
from drillbook.run.processes import StillThere


def test_a_holder_that_does_not_end_in_time_is_ended_again(monkeypatch) -> None:
    def stuck(variables):
        assert variables == {"DRILLBOOK_HOLDS": "db.test:5432/shop"}
        raise StillThere("processes [7] did not end within 10 s after SIGKILL")

    monkeypatch.setattr(held_connections.processes, "end", stuck)
    pair = HeldConnections(lambda: "postgresql://app:secret@db.test/shop", 10, 60.0)
    with pytest.raises(Unreachable, match=r"db\.test:5432/shop are held still: processes \[7\]") as told:
        pair.give_back({})
    assert "secret" not in str(told.value)
