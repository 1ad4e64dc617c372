"""The picture of the operator's page: half an hour of a bank, one of whose accounts is parked."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, expect

from kinesis_handler.local.minutes import MINUTES, Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from operated import STREAM, Operated, served
from page.still import still_page
from page.website import NOW

SIZE: ViewportSize = {"width": 1080, "height": 1120}
SCALE = 1
SHARDS = [f"shardId-{number:012}" for number in range(2)]


def operator_picture(browser: Browser, scheme: Literal["light", "dark"]) -> bytes:
    """Draw the page, at a standing clock."""
    with TemporaryDirectory() as folder:
        operated = Operated(Path(folder), clock=NOW.timestamp)
        _fill(operated, NOW.timestamp())
        with (
            served(operated.page(reports=False)) as url,
            still_page(browser, SIZE, SCALE, scheme) as page,
        ):
            page.goto(f"{url}/operator")
            expect(page.locator("#streams tbody tr").first).to_be_visible()
            return page.screenshot(clip={"x": 0, "y": 0, **SIZE}, full_page=True)


def _fill(operated: Operated, now: float) -> None:
    """Let an account be parked, and some records be rejected; report what a consumer has done."""
    operated.broken.add("acc-1042")
    operated.reasons |= {-1: "Expected `int` >= 0 - at `$.payload.number`"}
    operated.move("acc-1042", 250, 40, 1_200, at=now - 840)
    operated.move("acc-3391", *[-1] * 12, at=now - 600)
    applied = tuple(1_150 + (number * 379) % 420 for number in range(MINUTES))
    outcomes = {
        "applied": applied,
        "duplicate": (0,) * 11 + (310, 260) + (0,) * 17,
        "rejected": (0,) * 19 + (12,) + (0,) * 10,
        "parked": (0,) * 15 + (3,) + (0,) * 14,
    }
    report = Report(int(now // 60) - MINUTES + 1, outcomes, (900,) * MINUTES)
    consumer = Checkpoints(checkpoints_in(operated.store), f"{STREAM}:1795000000", report=lambda _at: report)
    consumer._store.owner = "consumer-1:7:a"
    consumer.begin(lambda: SHARDS, Checkpoint(), now - 3)
    for shard, behind in zip(SHARDS, (0, 1_400), strict=True):
        number = f"4968059422233327653383579385283031137900661660053615{shard[-4:]}"
        arrived = int(now * 1_000) - 900 - behind
        consumer.save([(shard, Checkpoint(after=number, arrived_at=arrived, behind_ms=behind))], now - 2)
