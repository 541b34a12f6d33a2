"""Whatever SQLite refuses at whichever statement, the laws hold when it has passed. Every
statement: python -m tests.sim.index_faults"""

from __future__ import annotations

import pytest

from leftzmq.errors import IndexFault
from tests.sim.index_faults import all_of

STEP = 37


@pytest.mark.parametrize("fault", IndexFault)
def test_a_fault_at_every_37th_statement(fault: IndexFault) -> None:
    first = 7 * list(IndexFault).index(fault)
    assert len(list(all_of(fault, first, STEP))) > 3
