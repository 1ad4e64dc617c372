"""What each event leaves in a limit's activity, and that it is exact however the stream is cut."""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesis_handler import Aggregate, Event, KinesisHandler
from kinesis_handler.aggregate import RECENT_EVENT_IDS, Key
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.stores import Repository
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.size import item_bytes
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, invocation
from streams import events, packed
from test_limit import AT, WHOLE_RESET, changed, created, event
from testkit.tables import Tables
from user_limits.activity import (
    MAX_CHANGES,
    MAX_PERIODS,
    Activity,
    LimitChange,
    PeriodTotal,
    record_change,
)
from user_limits.events import EXACT
from user_limits.processor import ActivityProcessor, UserLimitEventProcessor

if TYPE_CHECKING:
    from user_limits.limit import Limit

EXAMPLES = settings().max_examples
EVENT_ID = "6a2f41a3-c54c-4b0e-9c3c-7d6f1b8f1d52"

MakeRepository = Callable[[], Repository[Activity]]
Contents = dict[Key, Aggregate[Activity]]


def after(*recorded: Event[Any]) -> Activity:
    """Record events one after the other."""
    activity: Activity | None = None
    for each in recorded:
        with localcontext(EXACT):
            activity = record_change(activity, each)
    assert activity is not None
    return activity


def test_each_event_is_a_change_with_the_progress_after_it() -> None:
    activity = after(
        created(value="200"), changed("70.50"), changed("-20"), created(value="300"), event("RESET")
    )
    assert activity.currency_code == "EUR"
    assert activity.changes == (
        LimitChange(AT, "CREATED", Decimal(200), Decimal(0), Decimal(200)),
        LimitChange(AT, "PROGRESS", Decimal("70.50"), Decimal("70.50"), Decimal(200)),
        LimitChange(AT, "PROGRESS", Decimal(-20), Decimal("50.50"), Decimal(200)),
        LimitChange(AT, "REDEFINED", Decimal(300), Decimal("50.50"), Decimal(300)),
        LimitChange(AT, "RESET", Decimal("50.50"), Decimal(0), Decimal(300)),
    )


def test_a_reset_ends_a_period_and_begins_the_next() -> None:
    activity = after(
        event("CREATED", at=AT, value="200"),
        event("PROGRESS_CHANGED", at=AT + 1, amount="70.50"),
        event("PROGRESS_CHANGED", at=AT + 2, amount="9.50"),
        event("RESET", at=AT + 3),
        event("PROGRESS_CHANGED", at=AT + 4, amount="5"),
    )
    assert activity.periods == (
        PeriodTotal(AT, AT + 3, Decimal("80.00"), Decimal(200), 2),
        PeriodTotal(AT + 3, None, Decimal(5), Decimal(200), 1),
    )


def test_what_the_events_state_counts_more_than_what_was_known() -> None:
    activity = after(
        created(),
        changed("5", previousProgress="100", remainingAmount="145"),
        event("RESET", resetAmount="110", unusedAmount="140.00"),
    )
    assert activity.changes[1:] == (
        LimitChange(AT, "PROGRESS", Decimal(5), Decimal(105), Decimal(250)),
        LimitChange(AT, "RESET", Decimal(110), Decimal(0), Decimal("250.00")),
    )
    assert activity.periods[0] == PeriodTotal(AT, AT, Decimal(110), Decimal("250.00"), 1)


def test_a_stream_may_be_joined_in_the_middle_and_what_was_not_seen_is_none() -> None:
    unknown = after(changed("5"))
    assert unknown.changes == (LimitChange(AT, "PROGRESS", Decimal(5), None, None),)
    assert unknown.periods == (PeriodTotal(None, None, None, None, 1),)
    reset = after(changed("5"), event("RESET"), changed("7"))
    assert reset.periods == (
        PeriodTotal(None, AT, None, None, 1),
        PeriodTotal(AT, None, Decimal(7), None, 1),
    )
    rebuilt = after(event("RESET", **WHOLE_RESET))
    assert rebuilt.periods == (
        PeriodTotal(None, AT, Decimal(150), Decimal("200.00"), 0),
        PeriodTotal(AT, None, Decimal(0), Decimal("200.00"), 0),
    )


def test_a_period_of_which_nothing_is_known_leaves_no_trace() -> None:
    assert after(event("RESET")).periods == (PeriodTotal(AT, None, Decimal(0), None, 0),)


def test_a_definition_that_names_the_value_before_it_is_not_the_first() -> None:
    activity = after(created(previousLimitValue="100"))
    assert activity.changes[0].kind == "REDEFINED"
    assert activity.periods[0].since is None


def test_only_the_last_changes_and_periods_are_stored() -> None:
    resets = [event("RESET", at=AT + number) for number in range(MAX_CHANGES + 1)]
    activity = after(created(), *resets)
    assert [each.at for each in activity.changes] == [AT + each for each in range(1, MAX_CHANGES + 1)]
    assert len(activity.periods) == MAX_PERIODS
    assert [each.until for each in activity.periods[-2:]] == [AT + MAX_CHANGES, None]


def test_an_event_in_another_currency_leaves_the_figures_as_they_were() -> None:
    """The limit refuses it; here it is seen that there was one."""
    activity = after(created(), changed("5"), changed("7", currencyCode="SEK"), changed("1"))
    assert activity.currency_code == "EUR"
    assert activity.changes[2:] == (
        LimitChange(AT, "PROGRESS", None, Decimal(5), Decimal(200)),
        LimitChange(AT, "PROGRESS", Decimal(1), Decimal(6), Decimal(200)),
    )
    assert after(created(), event("RESET", currencyCode="SEK")).changes[1].kind == "RESET"


def test_only_an_event_that_says_all_decides_the_currency_of_a_limit_that_is_not_known() -> None:
    """Otherwise one that the limit refuses could make all later ones, which it takes, misfits here."""
    activity = after(changed("5", currencyCode="SEK"), created(), changed("1", currencyCode="EUR"))
    assert (activity.currency_code, activity.changes[-1].amount) == ("EUR", Decimal(1))
    again = after(created(currencyCode="SEK", progress="5"), created(currencyCode="EUR"))
    assert (again.currency_code, again.changes[-1].progress) == ("EUR", None)


def test_a_result_of_too_many_digits_leaves_the_figures_as_they_were() -> None:
    activity = after(created(value="1E+37"), changed("1E+37"), changed("0.01"))
    assert activity.changes[-1] == LimitChange(AT, "PROGRESS", None, Decimal("1E+37"), Decimal("1E+37"))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_it_refuses_no_event_whatever_the_limit_refuses(data: st.DataObject) -> None:
    handle = KinesisHandler([ActivityProcessor(MemoryRepository())])
    records = list(put_on_shard(data.draw(packed(data.draw(events())))))
    assert handle({"Records": records}) == {"batchItemFailures": []}
    limits: MemoryRepository[Limit] = MemoryRepository()
    alone = KinesisHandler([UserLimitEventProcessor(limits)])
    activities: MemoryRepository[Activity] = MemoryRepository()
    both = KinesisHandler([UserLimitEventProcessor(MemoryRepository()), ActivityProcessor(activities)])
    for record in records:
        assert both({"Records": [record]}) == alone({"Records": [record]})


def test_a_full_activity_takes_four_write_units() -> None:
    """Decision 33 says so, and what that means."""
    amounts = [Decimal(number).scaleb(-2) for number in range(1_001, 1_001 + MAX_CHANGES)]
    resets = [event("RESET", resetAmount="812.55", unusedAmount="687.45")] * MAX_PERIODS
    state = after(created(value="1500.00"), *resets, *(changed(str(each)) for each in amounts))
    assert (len(state.changes), len(state.periods)) == (MAX_CHANGES, MAX_PERIODS)
    full = Aggregate(
        key=(EVENT_ID, EVENT_ID),
        state=state,
        version=10_000,
        updated_at=AT,
        sequence_number=10_000,
        record_sequence_number="49590338271490256608559692538361571095921575989136588898",
        record_sub_sequence_number=0,
        recent_event_ids=(EVENT_ID,) * RECENT_EVENT_IDS,
    )
    assert 3 * 1_024 < item_bytes(ItemCodec(Activity, "userId", "limitId").attributes(full)) <= 4 * 1_024


def test_it_is_stored_without_the_names_of_its_fields_so_their_order_is_its_format() -> None:
    """A field may be added at the end, with a default. No other change can read what is stored."""
    stored = b"""{
        "changes": [
            [1700000000000, "CREATED", "200", "0", "200"],
            [1700000000000, "PROGRESS", "12.50", "12.50", "200"],
            [1700000000000, "RESET", null, null, null]
        ],
        "periods": [[1700000000000, 1700000000001, "12.50", "200", 1], [null, null, null, null, 0]],
        "currencyCode": "EUR"
    }"""
    activity = Activity(
        changes=(
            LimitChange(AT, "CREATED", Decimal(200), Decimal(0), Decimal(200)),
            LimitChange(AT, "PROGRESS", Decimal("12.50"), Decimal("12.50"), Decimal(200)),
            LimitChange(AT, "RESET", None, None, None),
        ),
        periods=(
            PeriodTotal(AT, AT + 1, Decimal("12.50"), Decimal(200), 1),
            PeriodTotal(None, None, None, None, 0),
        ),
        currency_code="EUR",
    )
    assert msgspec.json.decode(stored, type=Activity) == activity
    assert msgspec.json.encode(activity) == msgspec.json.format(stored, indent=-1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, tables: Tables) -> dict[str, MakeRepository]:
    """Return what makes an empty repository of each kind."""
    folder, numbers = tmp_path_factory.mktemp("activity"), count()
    return {
        "memory": MemoryRepository,
        "sqlite": lambda: SQLiteRepository(folder / f"{next(numbers)}.db", Activity),
        "dynamodb": lambda: tables.repository(Activity),
    }


@pytest.mark.parametrize(("store", "share"), [("memory", 1), ("sqlite", 6), ("dynamodb", 6)])
def test_any_part_of_the_stream_may_come_again_in_any_cut(
    stores: dict[str, MakeRepository], store: str, share: int
) -> None:
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=EXAMPLES // share)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        records = list(put_on_shard(data.draw(packed(data.draw(events(may_fail=False))))))
        repository = stores[store]()
        handler = KinesisHandler([ActivityProcessor(repository)])
        done = 0
        for end in [*data.draw(st.lists(st.integers(1, len(records)), max_size=6)), len(records)]:
            # from anywhere in what has been delivered, to anywhere before its end or behind it
            first = data.draw(st.integers(0, min(done, end - 1)))
            assert handler({"Records": records[first:end]}) == {"batchItemFailures": []}
            done = max(done, end)
        assert contents(repository) == one_by_one(records)

    check()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_it_agrees_with_the_limit_wherever_both_have_all_events(data: st.DataObject) -> None:
    """A record holds one event here, so that one that the limit refuses is shown to its activity neither."""
    records = list(put_on_shard(("key", each) for each in data.draw(events())))
    limits: MemoryRepository[Limit] = MemoryRepository()
    handle_limits = KinesisHandler([UserLimitEventProcessor(limits)])
    activities: MemoryRepository[Activity] = MemoryRepository()
    handle_activities = KinesisHandler([ActivityProcessor(activities)])
    for record in records:
        if handle_limits({"Records": [record]}) == {"batchItemFailures": []}:
            assert handle_activities({"Records": [record]}) == {"batchItemFailures": []}
    found = contents(activities)
    for limit in limits.scan():
        activity = found[limit.key]
        last, running = activity.state.changes[-1], activity.state.periods[-1]
        assert activity.version == limit.version
        assert activity.updated_at == last.at == limit.updated_at
        assert (last.progress, last.value) == (limit.state.progress, limit.state.value)
        assert (running.progress, running.value) == (limit.state.progress, limit.state.value)
        assert running.until is None
        assert len(activity.state.changes) == min(limit.version, MAX_CHANGES)
        assert len(activity.state.periods) <= MAX_PERIODS
        assert activity.state.currency_code == limit.state.currency_code
        for before, following in pairwise(activity.state.periods):
            assert before.until == following.since


def one_by_one(records: Sequence[LambdaRecord]) -> Contents:
    """Return what one clean pass leads to, a record at a time."""
    repository: MemoryRepository[Activity] = MemoryRepository()
    handler = KinesisHandler([ActivityProcessor(repository)])
    for record in records:
        handler({"Records": [record]})
    return contents(repository)


def contents(repository: Repository[Activity]) -> Contents:
    return {each.key: each for each in repository.scan()}


def test_it_expires_with_its_time_to_live() -> None:
    clock = FakeClock()
    repository: MemoryRepository[Activity] = MemoryRepository(ttl=60, clock=clock)
    made = {"userId": "anna", "userLimitId": "deposit", "value": 1}
    sent = {"eventId": "e", "type": "USER_LIMIT_CREATED", "createdAt": AT, "payload": made}
    assert KinesisHandler([ActivityProcessor(repository)])(invocation([sent])) == {"batchItemFailures": []}
    clock.advance(59)
    assert len(contents(repository)) == 1
    clock.advance(1)
    assert contents(repository) == {}
