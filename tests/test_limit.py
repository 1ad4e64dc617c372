"""What each event does to a limit: the rules of the domain."""

from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict

from kinesis_handler import BusinessError, Event, KinesisHandler, RejectedError, Remarked
from kinesis_handler.envelopes import Native
from kinesis_handler.ingest.event import EventDecoder
from kinesis_handler.ingest.record import unpack
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits.events import EVENT_TYPES, EXACT
from user_limits.limit import LastReset, Limit, apply
from user_limits.processor import UserLimitEventProcessor

AT = 1_700_000_000_000

WHOLE_RESET: dict[str, Any] = {
    "type": "DEPOSIT",
    "period": "DAY",
    "resetAmount": "150",
    "unusedAmount": "50.00",
}


WHOLE_CHANGE: dict[str, Any] = {"previousProgress": "152.50", "remainingAmount": "50"}


def event(event_type: str, at: int = AT, **payload: Any) -> Event[Any]:
    """Return an event as the handler would get it, payload validated and all."""
    content = msgspec.json.encode(
        {
            "eventId": "e",
            "type": f"USER_LIMIT_{event_type}",
            "createdAt": at,
            "payload": {"userId": "anna", "userLimitId": "deposit", **payload},
        }
    )
    decoder = EventDecoder(Native())
    decoder.register(EVENT_TYPES)
    [(record, content_again)] = unpack(put_on_shard([("anna", content)]))
    assert isinstance(content_again, bytes)
    decoded = decoder.decode(record, content_again)
    assert isinstance(decoded, Event), decoded
    return decoded


def after(*events: Event[Any]) -> tuple[Limit, list[str]]:
    """Apply events one after the other: the limit, and the names of the last one's remarks."""
    limit: Limit | None = None
    remarks: list[str] = []
    for each in events:
        with localcontext(EXACT):
            result = apply(limit, each)
        limit = result.state if isinstance(result, Remarked) else result
        remarks = [remark.name for remark in result.remarks] if isinstance(result, Remarked) else []
    assert limit is not None
    return limit, remarks


def created(**payload: Any) -> Event[Any]:
    return event("CREATED", **{"value": "200", "currencyCode": "EUR", **payload})


def changed(amount: str, **payload: Any) -> Event[Any]:
    return event("PROGRESS_CHANGED", amount=amount, **payload)


def test_created_makes_a_limit_with_the_defaults_of_the_domain() -> None:
    limit, remarks = after(event("CREATED", maxValue=1000, name="Daily API Requests"))
    assert limit == Limit(
        user_id="anna",
        limit_id="deposit",
        value=Decimal(1000),
        progress=Decimal(0),
        status="ACTIVE",
        active_from=AT,
        name="Daily API Requests",
    )
    assert remarks == []


def test_created_takes_over_all_that_it_carries() -> None:
    limit, _ = after(
        created(
            type="LOSS",
            period="CALENDAR_WEEK",
            status="FUTURE",
            activeFrom=1,
            activeUntil=2,
            nextResetTime=3,
            previousLimitValue="100",
            progress="7.50",
            brandId="b",
        )
    )
    assert (limit.type, limit.period, limit.status) == ("LOSS", "CALENDAR_WEEK", "FUTURE")
    assert (limit.active_from, limit.active_until, limit.next_reset_time) == (1, 2, 3)
    assert (limit.previous_value, limit.progress, limit.brand_id) == (Decimal(100), Decimal("7.50"), "b")


def test_a_newer_created_redefines_the_limit_and_keeps_its_progress() -> None:
    limit, _ = after(
        created(type="DEPOSIT", period="DAY", name="Old", activeUntil=9, status="CANCELED"),
        changed("50"),
        created(value="300", period="WEEK"),
    )
    assert (limit.value, limit.progress, limit.period) == (Decimal(300), Decimal(50), "WEEK")
    assert (limit.status, limit.active_from, limit.active_until, limit.name) == ("ACTIVE", AT, None, None)
    assert (limit.type, limit.currency_code) == ("DEPOSIT", "EUR")


def test_a_newer_created_that_carries_a_progress_sets_it() -> None:
    limit, _ = after(created(), changed("50"), created(progress="0"))
    assert limit.progress == 0


def test_a_newer_created_leaves_what_is_no_part_of_a_definition() -> None:
    known = [
        created(type="BET", brandId="b"),
        changed("10", previousProgress="40"),
        event("RESET", AT + 1, resetAmount="50", resetPercentage="25"),
    ]
    limit, _ = after(*known, event("CREATED", AT + 2, value="300"))
    assert limit.last_reset == LastReset(AT + 1, Decimal(50), Decimal(25))
    assert (limit.type, limit.brand_id, limit.currency_code, limit.drifted_at) == ("BET", "b", "EUR", AT)


def test_a_newer_created_sets_the_type_and_brand_that_it_carries() -> None:
    limit, _ = after(created(type="BET", brandId="b"), created(type="LOSS", brandId="c"))
    assert (limit.type, limit.brand_id) == ("LOSS", "c")


@pytest.mark.parametrize("later", [changed("1"), event("RESET")], ids=["progress", "reset"])
def test_an_event_leaves_what_it_does_not_carry(later: Event[Any]) -> None:
    known = created(
        type="BET",
        period="WEEK",
        brandId="b",
        name="n",
        nextResetTime=5,
        activeUntil=6,
        previousLimitValue="7",
    )
    before, _ = after(known, changed("10", previousProgress="40"))
    limit, _ = after(known, changed("10", previousProgress="40"), later)
    of_the_event = {"progress", "last_reset"}
    assert {n: v for n, v in asdict(limit).items() if n not in of_the_event} == {
        n: v for n, v in asdict(before).items() if n not in of_the_event
    }


@pytest.mark.parametrize(
    "later",
    [
        changed("1", brandId="c", currencyCode="EUR", nextResetTime=8),
        event("RESET", brandId="c", currencyCode="EUR", nextResetTime=8),
        event("RESET", **WHOLE_RESET, brandId="c", currencyCode="EUR", nextResetTime=8),
    ],
    ids=["progress", "reset", "whole reset"],
)
def test_an_event_shows_the_brand_the_currency_and_the_next_reset(later: Event[Any]) -> None:
    limit, _ = after(event("CREATED", value="200"), later)
    assert (limit.brand_id, limit.currency_code, limit.next_reset_time) == ("c", "EUR", 8)


def test_a_reset_shows_the_type_and_period_and_a_drift() -> None:
    limit, remarks = after(created(type="BET", period="WEEK"), event("RESET", AT + 3, **WHOLE_RESET))
    assert (limit.type, limit.period) == ("DEPOSIT", "DAY")
    assert (limit.drifted_at, remarks) == (AT + 3, ["drift"])


def test_a_rebuilt_limit_has_the_brand_of_its_reset() -> None:
    assert after(event("RESET", **WHOLE_RESET, brandId="b"))[0].brand_id == "b"


def test_progress_is_moved_by_the_amount_which_may_be_negative() -> None:
    limit, remarks = after(created(), changed("50.10"), changed("-20.05"))
    assert limit.progress == Decimal("30.05")
    assert remarks == []


def test_progress_follows_the_events_own_figure_and_a_missed_event_is_a_drift() -> None:
    limit, remarks = after(created(), changed("10", previousProgress="40"))
    assert limit.progress == 50
    assert remarks == ["drift"]
    assert limit.drifted_at == AT


def test_an_event_whose_figures_are_the_known_ones_is_no_drift() -> None:
    limit, remarks = after(created(), changed("10", previousProgress="0.00", remainingAmount="190.00"))
    assert (limit.value, limit.drifted_at, remarks) == (Decimal(200), None, [])


def test_progress_and_remaining_amount_give_the_value() -> None:
    limit, remarks = after(created(), changed("10", previousProgress="0", remainingAmount="290"))
    assert limit.value == 300
    assert remarks == ["drift"]


def test_a_drift_stays_to_be_seen_after_later_events() -> None:
    limit, remarks = after(created(), changed("10", previousProgress="40"), changed("1"))
    assert (limit.drifted_at, remarks) == (AT, [])


def test_progress_above_the_value_is_a_fact_with_a_remark() -> None:
    limit, remarks = after(created(), changed("200.01"))
    assert limit.progress == Decimal("200.01")
    assert remarks == ["exceeded"]
    assert after(created(), changed("200"))[1] == []


def test_one_event_may_be_both_a_drift_and_exceeded() -> None:
    assert after(created(), changed("1", previousProgress="500"))[1] == ["drift", "exceeded"]


def test_progress_moves_the_next_reset_only_if_it_carries_one() -> None:
    limit, _ = after(created(nextResetTime=5), changed("1"))
    assert limit.next_reset_time == 5
    limit, _ = after(created(nextResetTime=5), changed("1", nextResetTime=6))
    assert limit.next_reset_time == 6


def test_reset_begins_anew_and_keeps_the_figures_of_the_last_period() -> None:
    limit, remarks = after(
        created(status="IN_COOLDOWN", nextResetTime=1),
        changed("150"),
        event("RESET", AT + 1, **WHOLE_RESET, resetPercentage="75.00", nextResetTime=2),
    )
    assert (limit.progress, limit.status, limit.next_reset_time) == (Decimal(0), "ACTIVE", 2)
    assert limit.last_reset == LastReset(AT + 1, Decimal(150), Decimal("75.00"))
    assert (limit.value, remarks) == (Decimal(200), [])


def test_a_reset_from_another_progress_or_value_than_the_known_is_a_drift() -> None:
    other_progress = event("RESET", **{**WHOLE_RESET, "resetAmount": "100", "unusedAmount": "100"})
    assert after(created(), changed("150"), other_progress)[1] == ["drift"]
    limit, remarks = after(created(), changed("150"), event("RESET", resetAmount="150", unusedAmount="100"))
    assert (limit.value, remarks) == (Decimal(250), ["drift"])


def test_a_reset_without_figures_only_begins_anew() -> None:
    limit, remarks = after(created(), changed("150"), event("RESET"))
    assert (limit.progress, limit.value, remarks) == (Decimal(0), Decimal(200), [])


def test_a_limit_that_is_not_known_is_rebuilt_from_a_reset_that_says_all() -> None:
    limit, remarks = after(event("RESET", **WHOLE_RESET, currencyCode="EUR", nextResetTime=7))
    assert limit == Limit(
        user_id="anna",
        limit_id="deposit",
        value=Decimal("200.00"),
        active_from=AT,
        next_reset_time=7,
        type="DEPOSIT",
        period="DAY",
        currency_code="EUR",
        last_reset=LastReset(AT, Decimal(150), None),
        rebuilt=True,
    )
    assert remarks == ["rebuilt"]


def test_a_limit_that_has_been_rebuilt_is_a_usual_one_once_it_is_defined() -> None:
    assert after(event("RESET", **WHOLE_RESET), created())[0].rebuilt is False


@pytest.mark.parametrize("missing", WHOLE_RESET)
def test_a_reset_of_an_unknown_limit_that_does_not_say_all_is_a_business_error(missing: str) -> None:
    part: dict[str, Any] = {name: value for name, value in WHOLE_RESET.items() if name != missing}
    with pytest.raises(
        BusinessError, match=r"^the limit is not known, and its reset does not carry all of it$"
    ):
        apply(None, event("RESET", **part))


def test_a_limit_that_is_not_known_is_rebuilt_from_a_change_of_its_progress_that_says_all() -> None:
    limit, remarks = after(changed("-2.50", **WHOLE_CHANGE, currencyCode="EUR", nextResetTime=7, brandId="b"))
    assert limit == Limit(
        user_id="anna",
        limit_id="deposit",
        value=Decimal("200.00"),
        progress=Decimal("150.00"),
        active_from=AT,
        next_reset_time=7,
        type=None,
        period=None,
        brand_id="b",
        currency_code="EUR",
        rebuilt=True,
    )
    assert remarks == ["rebuilt"]


def test_a_limit_that_is_rebuilt_above_its_value_is_both_rebuilt_and_exceeded() -> None:
    assert after(changed("1", previousProgress="0", remainingAmount="-1"))[1] == ["rebuilt", "exceeded"]


@pytest.mark.parametrize("later", [event("RESET", **WHOLE_RESET), created(type="DEPOSIT", period="DAY")])
def test_a_limit_that_was_rebuilt_without_type_and_period_has_them_from_a_later_event(
    later: Event[Any],
) -> None:
    limit, remarks = after(changed("-2.50", **WHOLE_CHANGE), later)
    assert (limit.type, limit.period, remarks) == ("DEPOSIT", "DAY", [])


@pytest.mark.parametrize("missing", WHOLE_CHANGE)
def test_progress_of_an_unknown_limit_that_does_not_say_all_is_a_business_error(missing: str) -> None:
    part: dict[str, Any] = {name: value for name, value in WHOLE_CHANGE.items() if name != missing}
    message = r"^the limit is not known, and the change of its progress does not carry all of it$"
    with pytest.raises(BusinessError, match=message):
        apply(None, changed("1", **part))


def test_a_rebuilt_value_that_would_have_to_be_rounded_is_rejected() -> None:
    with (
        localcontext(EXACT),
        pytest.raises(RejectedError, match=r"^an exact result has more than 38 digits$"),
    ):
        apply(None, changed("0", previousProgress="9" * 38, remainingAmount="0.1"))


@pytest.mark.parametrize(
    ("payload", "of_the_unknown", "of_the_known"),
    [
        (created(), True, False),
        (created(progress="0"), True, True),
        (changed("1", **WHOLE_CHANGE), True, True),
        (changed("1", previousProgress="1"), False, False),
        (changed("1", remainingAmount="1"), False, False),
        (event("RESET", **WHOLE_RESET), True, True),
        *((event("RESET", **{**WHOLE_RESET, name: None}), False, False) for name in WHOLE_RESET),
    ],
)
def test_a_snapshot_says_all_there_is_to_know_of_a_limit(
    payload: Event[Any], of_the_unknown: bool, of_the_known: bool
) -> None:
    known, _ = after(created())
    processor = UserLimitEventProcessor(MemoryRepository())
    assert processor.is_snapshot(payload, None) is of_the_unknown
    assert processor.is_snapshot(payload, known) is of_the_known


def test_a_snapshot_applies_to_a_limit_whether_or_not_it_is_known() -> None:
    for snapshot in (created(), changed("1", **WHOLE_CHANGE), event("RESET", **WHOLE_RESET)):
        assert after(snapshot)[0].value == after(created(), snapshot)[0].value


@pytest.mark.parametrize(
    "in_sek",
    [created(currencyCode="SEK"), changed("1", currencyCode="SEK"), event("RESET", currencyCode="SEK")],
    ids=["created", "progress", "reset"],
)
def test_an_event_in_another_currency_is_a_business_error(in_sek: Event[Any]) -> None:
    limit, _ = after(created(currencyCode="EUR"))
    with pytest.raises(BusinessError, match=r"^the event is in another currency than the limit$"):
        apply(limit, in_sek)


def test_a_currency_that_was_not_known_is_taken_over() -> None:
    limit, _ = after(event("CREATED", value="1"), changed("1", currencyCode="EUR"))
    assert limit.currency_code == "EUR"


def test_sums_of_38_digits_are_exact() -> None:
    limit, _ = after(created(value="9" * 38), changed("9" * 37 + "8"), changed("0"), changed("1"))
    assert limit.progress == Decimal("9" * 38)


def test_a_sum_that_would_have_to_be_rounded_is_rejected_and_not_rounded() -> None:
    limit, _ = after(created(value="9" * 38), changed("9" * 38))
    with (
        localcontext(EXACT),
        pytest.raises(RejectedError, match=r"^an exact result has more than 38 digits$"),
    ):
        apply(limit, changed("0.1"))


def test_no_message_shows_a_value_of_the_payload() -> None:
    limit, _ = after(created(currencyCode="EUR"))
    for known, refused in ((None, changed("1")), (limit, changed("1", currencyCode="SEK"))):
        with pytest.raises(BusinessError) as caught:
            apply(known, refused)
        assert not {"anna", "deposit", "EUR", "SEK"} & set(str(caught.value).split())


def test_the_processor_computes_in_the_exact_context() -> None:
    repository: MemoryRepository[Limit] = MemoryRepository()
    handler = KinesisHandler([UserLimitEventProcessor(repository)])
    batch = [
        {
            "eventId": f"e{number}",
            "type": f"USER_LIMIT_{event_type}",
            "createdAt": number,
            "payload": {"userId": "anna", "userLimitId": "deposit", **payload},
        }
        for number, (event_type, payload) in enumerate(
            [("CREATED", {"value": "9" * 38}), ("PROGRESS_CHANGED", {"amount": "9" * 37 + "0"})]
            + [("PROGRESS_CHANGED", {"amount": amount}) for amount in ("9", "0.1")]
        )
    ]
    assert [each.outcome.status.value for each in handler.handle(invocation(batch))] == [
        *["applied"] * 3,
        "rejected",
    ]
    [aggregate] = repository.scan()
    assert aggregate.state.progress == Decimal("9" * 38)
