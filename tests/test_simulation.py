"""The simulation: its seeds end as the ledger says, and it would notice a broken product."""

import ast
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kinesis_handler import fold as folding
from kinesis_handler import parking
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from simulation.bank import Account
from simulation.run import case_of, read_case, run, write_case
from simulation.shrink import shrunk
from testkit.tables import Tables

SIMULATION = Path(__file__).parents[1] / "simulation"
FOUND = sorted((SIMULATION / "found").glob("*.json"))


@pytest.mark.parametrize("seed", range(25))
def test_a_seed_ends_as_the_ledger_says(seed: int) -> None:
    assert run(case_of(seed, 400)).differences == []


@pytest.mark.parametrize("seed", [100, 101])
def test_a_seed_on_sqlite_ends_as_the_ledger_says(seed: int, tmp_path: Path) -> None:
    numbers = count()
    report = run(case_of(seed, 150), lambda: SQLiteRepository(tmp_path / f"{next(numbers)}.db", Account))
    assert report.differences == []


@pytest.mark.parametrize("seed", [200, 201])
def test_a_seed_on_dynamodb_ends_as_the_ledger_says(seed: int, tables: Tables) -> None:
    assert run(case_of(seed, 60), lambda: tables.repository(Account)).differences == []


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_once_stays_mended(path: Path) -> None:
    assert run(read_case(path.read_bytes())).differences == []


def test_a_seed_repeats_a_run_fault_by_fault() -> None:
    one, other = run(case_of(7, 2_000)), run(case_of(7, 2_000))
    assert one.struck == other.struck
    assert (one.outcomes, one.deliveries) == (other.outcomes, other.deliveries)
    assert len(one.struck) > 10


def test_a_run_is_repeated_by_its_case_as_it_is_printed() -> None:
    report = run(case_of(7, 2_000))
    again = run(read_case(write_case(report.replayed)))
    assert (again.struck, again.outcomes) == (report.struck, report.outcomes)


def _loses_writes(original: Callable[..., Saved]) -> Callable[..., Saved]:
    calls = count(1)

    def save(self: Any, changes: list[Change[Account]]) -> Saved:
        return original(self, changes[1:] if next(calls) % 5 == 0 else changes)

    return save


def _overwrites(original: Callable[..., Saved]) -> Callable[..., Saved]:
    def save(self: Any, changes: list[Change[Account]]) -> Saved:
        stored = self.load([change.key for change in changes]).stored()
        return original(self, [Change(stored.get(change.key), change.after) for change in changes])

    return save


@pytest.mark.parametrize("broken", [_loses_writes, _overwrites])
def test_a_broken_store_is_noticed(monkeypatch: pytest.MonkeyPatch, broken: Callable[..., Any]) -> None:
    monkeypatch.setattr(MemoryRepository, "save", broken(MemoryRepository.save))
    assert any(run(case_of(seed, 1_000)).differences for seed in range(40))


def test_a_failure_is_shrunk_to_a_few_events_and_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind a parked event is applied, and overtakes it."""

    def behind(aggregate: Any, _note: Any, event: Any, rules: Any, _parking: Any) -> Any:
        after, [outcome] = folding.fold(aggregate, aggregate.key, [event], rules)
        return after, outcome

    monkeypatch.setattr(parking, "_behind", behind)
    report = next(each for seed in range(20) if (each := run(case_of(seed, 400))).differences)
    shortest = shrunk(report, longest=20)
    assert shortest.differences
    assert len(shortest.case.events) <= 10
    assert len(shortest.struck) <= 5


def test_the_ledger_shares_no_code_with_what_it_judges() -> None:
    tree = ast.parse((SIMULATION / "ledger.py").read_text(encoding="utf-8"))
    imported = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    names = {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    assert imported | names == {"json", "collections.abc", "typing"}


@pytest.mark.other_programs
def test_the_command_prints_its_figures() -> None:
    arguments = ["-m", "simulation", "--seeds=2", "--events=300", "--processes=1"]
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    assert "600 events in" in done.stdout
    assert done.stdout.endswith("2 seeds, each as the ledger says\n")
