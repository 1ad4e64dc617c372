"""The simulation: its seeds end as the oracle says, and it notices a broken product."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings

from kinesis_handler.stores import Repository
from kinesis_handler.stores.sqlite import SQLiteRepository
from simulation import __main__ as command
from simulation import pages
from simulation.application import Name
from simulation.faults import Fault
from simulation.mutants import EVENTS, MUTANTS, applied
from simulation.oracle.ledger import Arrived, Ledger
from simulation.oracle.limit_rules import RULES
from simulation.run import Case, Report, case_of, read_case, run, write_case
from simulation.shrink import shrunk
from simulation.stream import Sent
from testkit.tables import Tables

SIMULATION = Path(__file__).parents[1] / "simulation"
FOUND = sorted((SIMULATION / "found").glob("*.json"))
BOTH: list[Name] = ["bank", "limits"]
LONG = "bank, long seeds"
MEASURED = pages.read()
SEEDS = range(settings().max_examples // 4)
"""As many as the profile's searches are long: 12 in `make test`, 2 in `make check`."""


@pytest.mark.parametrize("application", BOTH)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_ends_as_the_oracle_says(seed: int, application: Name) -> None:
    assert run(case_of(seed, 400, application)).differences == []


@pytest.mark.parametrize("application", BOTH)
def test_a_seed_on_sqlite_ends_as_the_oracle_says(application: Name, tmp_path: Path) -> None:
    numbers = count()

    def make(state: type, *, ttl: int, clock: Callable[[], float]) -> Repository[Any]:
        return SQLiteRepository(tmp_path / f"{next(numbers)}.db", state, ttl=ttl, clock=clock)

    assert run(case_of(100, 150, application), make).differences == []


@pytest.mark.parametrize("application", BOTH)
def test_a_seed_on_dynamodb_ends_as_the_oracle_says(application: Name, tables: Tables) -> None:
    def make(state: type, *, ttl: int, clock: Callable[[], float]) -> Repository[Any]:
        return tables.repository(state, ttl=ttl, clock=clock)

    assert run(case_of(200, 60, application), make).differences == []


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_once_stays_mended(path: Path) -> None:
    assert run(read_case(path.read_bytes())).differences == []


REBUILDS = {"turn 1": Fault.REBUILD, "turn 6": Fault.REBUILD}


@pytest.mark.parametrize(
    ("application", "seed", "faults"),
    [
        *((application, 0, REBUILDS) for application in BOTH),
        ("bank", 3, {"turn 2": Fault.EXPIRED, "turn 5": Fault.EXPIRED}),
    ],
)
def test_a_rebuild_and_an_expiry_end_as_the_oracle_says(
    application: Name, seed: int, faults: dict[str, Fault]
) -> None:
    case = msgspec.structs.replace(case_of(seed, 600, application), faults=faults)
    report = run(case)
    assert report.differences == []
    assert {Fault.REBUILD, Fault.EXPIRED} & set(report.struck.values())


def test_a_seed_repeats_a_run_fault_by_fault() -> None:
    one, other = run(case_of(7, 2_000)), run(case_of(7, 2_000))
    assert one.struck == other.struck
    assert (one.outcomes, one.checked) == (other.outcomes, other.checked)
    assert len(one.struck) > 10


@pytest.mark.parametrize("application", BOTH)
def test_a_run_is_repeated_by_its_case_as_it_is_printed(application: Name) -> None:
    report = run(case_of(7, 1_000, application))
    again = run(read_case(write_case(report.replayed)))
    assert (again.struck, again.outcomes) == (report.struck, report.outcomes)


@pytest.mark.parametrize("what", MUTANTS)
def test_a_broken_rule_is_found_by_the_seed_that_the_docs_name(what: str) -> None:
    number = MEASURED["mutants"][what]
    with applied(MUTANTS[what]):
        assert run(case_of(number - 1, EVENTS, MUTANTS[what].application)).differences


def test_a_failure_is_shrunk_to_a_few_events_and_faults() -> None:
    with applied(MUTANTS["an event behind a parked one is applied"]):
        report = next(each for seed in range(20) if (each := run(case_of(seed, 400))).differences)
        shortest = shrunk(report, longest=20)
    assert shortest.differences
    assert len(shortest.case.events) <= 10
    assert len(shortest.struck) <= 5


def test_an_event_that_comes_again_is_left_out_with_its_first() -> None:
    first, again = (Sent("c", '{"eventId":"e1"}', packing=packing) for packing in ("plain", "gzip"))
    others = [Sent("c", f'{{"eventId":"e{number}"}}') for number in (2, 3)]
    report = run(case_of(0, 1))
    tried: list[tuple[Sent, ...]] = []

    def try_out(case: Case) -> Report:
        tried.append(case.events)
        found = ["e3 is in it"] if others[1] in case.events else []
        return msgspec.structs.replace(report, case=case, differences=found, struck={})

    events = (first, others[0], again, others[1])
    case = msgspec.structs.replace(report.case, events=events)
    begun = msgspec.structs.replace(report, case=case, differences=["e3 is in it"], struck={})
    assert shrunk(begun, try_out).case.events == (others[1],)
    assert not [each for each in tried if again in each and first not in each]


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    allowed = {"json", "collections.abc", "typing", "decimal", "gzip", "zlib", "base64"}
    allowed |= {"aws_kinesis_agg.deaggregator"}
    for folder in (SIMULATION / "oracle", SIMULATION.parent / "chaos" / "oracle"):
        for path in folder.glob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imported = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
            for each in ast.walk(tree):
                if isinstance(each, ast.Import):
                    imported |= {name.name for name in each.names}
            ours = {name for name in imported if name.startswith(("simulation.oracle", "chaos.oracle"))}
            assert imported - ours <= allowed, path


def _event(number: int, event_type: str, **payload: object) -> Arrived:
    payload |= {"userId": "u2", "userLimitId": "l"}
    event = {"eventId": f"e{number}", "type": event_type, "createdAt": number, "payload": payload}
    return Arrived({**event, "sequenceNumber": number})


def test_the_oracle_of_limits_waits_for_what_says_all_and_goes_on_from_there() -> None:
    change = "USER_LIMIT_PROGRESS_CHANGED"
    figures = {"previousProgress": Decimal(5), "remainingAmount": Decimal(2)}
    events = [
        _event(1, change, amount=Decimal(1)),
        _event(2, change, amount=Decimal(3), **figures),
        _event(3, change, amount=Decimal(1)),
    ]
    ledger = Ledger(RULES["limits"], events)
    [book] = ledger.books.values()
    assert (book.version, book.state["progress"], book.state["value"]) == (2, 9, 10)
    assert Ledger(RULES["limits"], events[:1]).waiting() == {("u2", "l"): {"e1"}}


def test_the_docs_say_what_the_runs_have_come_to() -> None:
    stale = [page.name for page, text in pages.contents(MEASURED) if page.read_text(encoding="utf-8") != text]
    assert not stale, "`python -m simulation --docs` writes them"
    assert pages.marks() == pages.sections(MEASURED).keys()
    assert {*MEASURED} == {*BOTH, LONG, "mutants"}
    assert all(MEASURED[name]["failed"] == 0 for name in (*BOTH, LONG))


@pytest.mark.other_programs
def test_the_command_prints_its_figures_and_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    arguments = ["-m", "simulation", "--seeds=2", "--events=300", "--processes=1", f"--report={file}"]
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    assert "600 events in" in done.stdout
    assert done.stdout.endswith("2 seeds, each as the oracle says\n")
    written = json.loads(file.read_text())["bank"]
    assert (written["seeds"], written["events"], written["failed"]) == (2, 600, 0)
    assert written["faults"].keys() == {each.value for each in Fault}


def test_an_interrupted_run_prints_and_writes_what_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Iterator[Report]:
        yield run(case_of(0, 300))
        raise KeyboardInterrupt

    file = tmp_path / "report.json"
    monkeypatch.setattr(command, "reports_of", interrupted)
    monkeypatch.setattr(sys, "argv", ["simulation", f"--report={file}", f"--part={LONG}"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("interrupted: these are the figures of the seeds that have ended\n")
    assert printed.endswith("1 seeds, each as the oracle says\n")
    assert json.loads(file.read_text())[LONG]["events"] == 300
