"""The benchmarks' own arithmetic, and that README and docs say what was measured."""

import json
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pybase64
import pytest

from benchmarks import gathering, parking, results, workers
from benchmarks.__main__ import PARTS
from benchmarks.records import Limits, cut, data_bytes
from benchmarks.report import documents, scale
from benchmarks.report.figures import dollars, figure, times
from benchmarks.results import rounded
from benchmarks.rounds import Rounds, Timed, take_turns
from kinesis_handler.local.gathering import Bounds

ROOT = Path(__file__).parent.parent
MEASURED = results.read()


def stale(figures: dict[str, results.Figures]) -> set[str]:
    """Return the pages and pictures that do not show these figures."""
    return {
        str(file.relative_to(ROOT))
        for file, text in documents.contents(figures)
        if not file.exists() or file.read_text() != text
    }


def test_readme_docs_and_pictures_say_what_was_measured() -> None:
    assert MEASURED.keys() == set(PARTS)
    assert not stale(MEASURED), "`python -m benchmarks --docs` makes them anew"


def test_every_mark_on_a_page_is_filled_and_everything_measured_stands_on_one() -> None:
    marks = {mark[2] for page in documents.PAGES for mark in documents.MARKED.finditer(page.read_text())}
    assert marks == documents.macros(documents.TABLES)


def test_a_page_that_says_something_else_is_found() -> None:
    other = json.loads(json.dumps(MEASURED))
    other["memory"]["peak_mb"]["dynamodb"]["handled"] += 100
    assert stale(other) == {"README.md", "docs/benchmarks.md", "docs/scale.md"}


def test_results_say_on_which_machine_and_nothing_of_whose_it_is() -> None:
    for part in MEASURED.values():
        assert part["machine"].keys() == {"cpu", "cores", "system", "python", "date"}
    text = results.FILE.read_text()
    assert not re.search(r"/(home|root|tmp|Users|usr)\b|://", text)


def test_every_picture_on_a_page_is_drawn_and_stands_by_itself() -> None:
    shown = {
        name for page in documents.PAGES for name in re.findall(r"pictures/([\w-]+\.svg)", page.read_text())
    }
    drawn = {file.name for file, _ in documents.contents(MEASURED) if file.suffix == ".svg"}
    assert shown - {"run.svg"} == drawn  # that one is of a terminal
    for name in drawn:
        text = (documents.PICTURES / name).read_text()
        ET.fromstring(text)  # noqa: S314 - our own
        assert "prefers-color-scheme: dark" in text
        assert re.findall("https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]


def test_the_ratio_is_that_within_the_rounds_though_the_machine_slows_down() -> None:
    taken = Rounds(
        {
            "ours": [{"us": each, "start": 0.5 * each} for each in (1.0, 1.0, 10.0, 10.0, 10.0)],
            "peer": [{"us": each, "start": 2.5 * each} for each in (2.0, 2.0, 20.0, 20.0, 30.0)],
        }
    )
    assert taken.compared("peer", "ours", "us") == {"ratio": 2.0, "from": 2.0, "to": 2.0}
    assert taken.compared("peer", "ours", "start", "us")["ratio"] == 3.5 * 2.0 / 1.5
    assert taken.medians("ours") == {"us": 10.0, "start": 5.0}


def test_contenders_take_turns_and_each_begins_a_round_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def preparing(name: str) -> Timed:
        def timed() -> dict[str, float]:
            order.append(name)
            return {"turn": len(order)}

        return timed

    taken = take_turns({"a": lambda: preparing("a"), "b": lambda: preparing("b")}, rounds=2)
    assert "".join(order) == "baabba"
    assert [each["turn"] for each in taken.taken["a"]] == [3, 6]
    assert [each["turn"] for each in taken.taken["b"]] == [4, 5]


def test_a_figure_has_three_digits_that_mean_something() -> None:
    told = [figure(each) for each in (0, 0.04217, 8.473, 60.0, 117_512.3, 999.6)]
    assert told == ["0", "0.0422", "8.47", "60", "118,000", "1,000"]
    assert [times(each) for each in (0.57, 12.34, 199.6)] == ["0.6", "12.3", "200"]
    assert [dollars(each) for each in (0.0145, 0.15, 1_234.5)] == ["$0.015", "$0.15", "$1,234.50"]
    assert rounded({"a": [1.23456, 7]}) == {"a": [1.235, 7]}


def test_a_bar_is_as_long_as_its_figure() -> None:
    known = json.loads(json.dumps(MEASURED))
    known["start"]["ms"] |= {
        "dynamodb": {"start": 300, "first": 100},
        "memory": {"start": 100, "first": 50},
        "powertools": {"start": 150, "first": 50},
        "api": {"start": 100, "first": 100},
        "fastapi": {"start": 25, "first": 75},
    }
    picture = documents.filled(documents.DRAWN, "start", known)
    bars = re.findall(r'class="(ours|peer|grey)" x="([\d.]+)" y="\d+" width="([\d.]+)"', picture)
    assert [kind for kind, _, _ in bars[::2]] == ["ours", "ours", "peer", "ours", "peer"]
    assert {kind for kind, _, _ in bars[1::2]} == {"grey"}
    assert [float(width) for *_, width in bars] == [279, 93, 93, 46.5, 139.5, 46.5, 93, 93, 23.2, 69.8]
    assert [float(left) for _, left, _ in bars[:4]] == [214, 214 + 279, 214, 214 + 93]
    assert [f">{each} ms<" in picture for each in (400, 150, 200, 100)] == [True] * 4


def test_dollars_come_from_the_units() -> None:
    assert scale.table_cost({"writes": 200, "reads": 200}) == pytest.approx(0.2 * 0.625 + 0.2 * 0.125)


def test_shards_are_as_many_as_records_or_bytes_need() -> None:
    assert scale.shards(1_000, 500) == 1
    assert scale.shards(1_001, 500) == 2
    assert scale.shards(1_000, 4_096) == 4


def test_an_invocation_takes_its_cpu_at_its_part_of_a_core_and_its_waits() -> None:
    handled = {"cpu_ms": 100.0, "requests": 10.0}
    assert scale.duration(handled, scale.VCPU_MB) == pytest.approx(0.1 + 2 * scale.ROUND_TRIP)
    assert scale.duration(handled, scale.VCPU_MB / 2) == pytest.approx(0.2 + 2 * scale.ROUND_TRIP)
    assert scale.parallelization(1_000, {"cpu_ms": 1_500.0, "requests": 2.0}, scale.VCPU_MB) == 2


@pytest.mark.parametrize(
    ("events", "users", "limits"), [(1, 1_000, 1), (10_000, 1, 3), (2, 1, 3 - 3 * (2 / 3) ** 2)]
)
def test_so_many_events_are_about_so_many_limits(events: int, users: int, limits: float) -> None:
    assert scale.distinct_limits(events, users) == pytest.approx(limits)


def test_users_in_groups_are_counted_nearly_as_one_by_one() -> None:
    users = 20_000
    shares = [1 / rank for rank in range(1, users + 1)]
    total = sum(shares) * scale.LIMITS_PER_USER
    exact = sum(scale.LIMITS_PER_USER * (1 - (1 - each / total) ** 5_000) for each in shares)
    assert scale.distinct_limits(5_000, users) == pytest.approx(exact, rel=0.01)


def test_a_month_costs_what_its_units_hours_and_gigabytes_cost() -> None:
    figures = {"reads": 0.0, "writes": 500.0, "requests": 20.0, "cpu_ms": 50.0}
    assert scale.million_events(1_000_000) == 730 * 3_600
    assert scale.table_cost(figures) == pytest.approx(0.5 * 0.625)
    assert scale.provisioned_table_month(1_399, figures) == pytest.approx(1_000 * 0.00065 * 730)
    assert [scale.tasks(rate, figures) for rate in (1_000, 20_000, 100_000)] == [2, 2, 10]
    assert scale.fleet_month(1_000, figures) == pytest.approx(2 * (0.03238 + 4 * 0.00356) * 730)
    least = 25 / 1_024 * 730 * 3_600 * (0.032 + 0.016)
    assert scale.advantage_month(1, 500) == pytest.approx(least)
    assert scale.stream_month(1_000, 500) == pytest.approx(730 * 0.015 + 730 * 3.6 * 0.014)


def test_the_cpu_of_a_batch_lies_between_what_was_measured_for_few_keys_and_for_many() -> None:
    known = {
        "known 50": {"cpu_ms": 10.0, "writes": 20.0},
        "known 1": {"cpu_ms": 108.0, "writes": 1_000.0},
    }
    figures = scale.estimated({"reads": 0.0, "writes": 0.5}, known)
    assert (figures["cpu_ms"], figures["requests"], figures["writes"]) == (58.0, 20.0, 500.0)


def test_gathered_records_cost_no_reads_and_fewer_writes_the_longer_they_are_gathered() -> None:
    events = list(gathering.zipf(4, limits=200, rate=50))
    of_a_second, of_four, plain = (
        gathering.units(events, gathering.Contender(Bounds(seconds, records, 10**9), remembered_bytes))
        for seconds, records, remembered_bytes in ((1, 10**9, 10**7), (4, 10**9, 10**7), (10**9, 1, 0))
    )
    assert of_a_second["reads"] == of_four["reads"] == 0
    assert of_four["writes"] < of_a_second["writes"] < 1
    assert (plain["reads"], plain["writes"], plain["batch"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "with all figures",
            {"invocations": 2, "waited": 0, "right_before_resets": 5, "parked": 0, "given_up": 0},
        ),
        ("without", {"invocations": 2, "waited": 0, "right_before_resets": 0, "parked": 20, "given_up": 0}),
        ("without, not parked", {"right_before_resets": 0, "parked": 0, "given_up": 20}),
    ],
)
def test_a_consumer_that_joins_waits_for_nothing_where_changes_say_all_or_are_parked(
    name: str, expected: dict[str, int]
) -> None:
    figures = parking.joining(parking.JOINING[name], limits=5)
    assert figures.items() >= {"batches": 2, "known": 5, "still_parked": 0, **expected}.items()
    assert (figures["waited"] > 0) == (name == "without, not parked")


def test_a_key_that_fails_holds_its_shard_for_a_minute_and_loses_nothing_if_it_is_parked() -> None:
    parked, plain = (parking.failing(park_after, limits=5, seconds=400) for park_after in (60, None))
    assert (parked["parked"], parked["applied_by_redrive"], parked["missing"]) == (160, 160, 0)
    assert 60 < parked["longest"] < 64 < plain["longest"]
    assert plain["missing"] == plain["too_late"] == plain["given_up"] > 0


def test_a_batch_creates_each_limit_and_then_changes_it_and_is_the_same_each_time() -> None:
    records = Limits().batch(range(400))["Records"]
    contents = [pybase64.b64decode(each["kinesis"]["data"]) for each in records]
    again = Limits().batch(range(400))["Records"]
    assert contents == [pybase64.b64decode(each["kinesis"]["data"]) for each in again]
    events = [msgspec.json.decode(each) for each in contents]
    assert Counter(each["type"] for each in events) == {
        "USER_LIMIT_CREATED": 400,
        "USER_LIMIT_PROGRESS_CHANGED": 1_600,
    }
    first = {each["payload"]["userLimitId"]: each["type"] for each in reversed(events)}
    assert set(first.values()) == {"USER_LIMIT_CREATED"}
    assert data_bytes(records) == sum(map(len, contents))
    assert [len(each["Records"]) for each in cut(records, 900)] == [900, 900, 200]


def test_what_the_node_peer_stands_on_is_pinned_by_integrity_and_names_no_registry() -> None:
    lock = json.loads((ROOT / "benchmarks/node_peer/package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages
    assert all(
        each["integrity"].startswith("sha512-") and "resolved" not in each for each in packages.values()
    )


def test_the_page_about_workers_has_a_row_for_each_contender() -> None:
    assert MEASURED["workers"]["contenders"].keys() == workers.CONTENDERS.keys()


def test_events_are_counted_from_whole_lines_of_all_processes_and_once_each(tmp_path: Path) -> None:
    lines = [
        b'{"message":"batch handled","applied":2,"duration_ms":1.0}\n',
        b'{"message":"metrics are served"}\nno JSON at all\n',
        b'{"message":"batch handled","duplicate":2}\n{"message":"batch handled","app',
    ]
    logs = [tmp_path / f"{number}.log" for number in range(len(lines))]
    for log, line in zip(logs, lines, strict=True):
        log.write_bytes(line)
    handled = workers.batches(logs)
    assert len(handled) == 2
    assert workers.applied(handled) == 2
