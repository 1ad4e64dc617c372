from collections.abc import Callable
from pathlib import Path

import pytest

from kinesis_handler.repository import Repository
from kinesis_handler.repository.sqlite import SQLiteRepository
from kinesis_handler.testing import LawState, RepositoryLaws


class TestSQLiteRepository(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return SQLiteRepository(self.folder / "laws.db", LawState, ttl=ttl, clock=clock)
