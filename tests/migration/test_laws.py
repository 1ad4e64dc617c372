"""The laws of a repository hold in every phase."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kinesis_handler.moving.dual_write import DualWriteRepository
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import Record, Records
from kinesis_handler.moving.repairs import Repair, Repairs
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import LawState, RepositoryLaws
from testkit.tables import Tables


def dual(
    source: Repository[LawState], target: Repository[LawState], phase: Phase
) -> DualWriteRepository[LawState]:
    of_target, of_source = Repairs(MemoryRepository[Repair]()), Repairs(MemoryRepository[Repair]())
    ledger = Ledger(of_target, of_source, Records(MemoryRepository[Record]()))
    return DualWriteRepository(source, target, lambda: phase, ledger)


@pytest.mark.parametrize("phase", Phase)
class TestInMemory(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _phase(self, phase: Phase) -> None:
        self.phase = phase

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        stores = [MemoryRepository[LawState](ttl=ttl, clock=clock) for _ in range(2)]
        return dual(stores[0], stores[1], self.phase)


@pytest.mark.parametrize("phase", [Phase.DUAL_READ_SOURCE, Phase.DUAL_READ_TARGET])
class TestFromAFileToATable(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _stores(self, phase: Phase, tables: Tables, tmp_path: Path) -> None:
        self.phase, self.tables, self.folder = phase, tables, tmp_path

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        source = SQLiteRepository(self.folder / "source.db", LawState, ttl=ttl, clock=clock)
        return dual(source, self.tables.repository(LawState, clock=clock, ttl=ttl), self.phase)
