"""The stream of a bank: movements on accounts, generated from a seed."""

from collections import defaultdict, deque
from random import Random

from simulation.faults import expires
from simulation.stream import DAMAGED, Sent, packed

EVENTS_PER_ACCOUNT, ACCOUNTS_PER_CUSTOMER = 25, 3
EVENTS_PER_FAILURE = 400
"""One event in so many fails until it is mended, on the average."""
REPEATED, LATE, BROKEN = 0.05, 0.02, 0.005
"""Part of the events that the producer sends twice, too late, or damaged."""
GREETED, CLOSED, PAID = 0.01, 0.03, 0.25
"""Part of the events that nobody here takes, that close an account, and that are of two accounts."""
REMEMBERED = 8
"""How many events back the producer may send one twice: aggregates know more than these."""


def events_of(seed: int, count: int) -> list[Sent]:
    """Generate events."""
    random = Random(f"{seed}/events")
    producer = _Producer(random, count, may_forget=expires(seed))
    return packed(random, count, (producer.send(number + 1) for number in range(count)))


class _Producer:
    """Sends events of several customers, some of them twice, too late, or damaged.

    Args:
        random: draws them.
        count: how many there will be.
        may_forget: whether what was applied may be forgotten: then an event that comes again after one that
            is rejected would be a new one that comes too late. Those before that one do not come again.
    """

    def __init__(self, random: Random, count: int, *, may_forget: bool) -> None:
        self._random = random
        self._may_forget = may_forget
        per_customer = EVENTS_PER_ACCOUNT * ACCOUNTS_PER_CUSTOMER
        self._customers = [f"c{number}" for number in range(max(1, count // per_customer))]
        self._numbered = {each for each in self._customers if random.random() < 0.6}
        self._troubled = {each for each in self._customers if random.random() < 0.6}
        """Customers of whom some events fail. None of theirs comes too late: whether it then counted would
        depend on whether an earlier one is rejected in the end."""
        self._failing = 1.6 / (EVENTS_PER_FAILURE * random.choice((0.25, 1, 4)))
        self._last: dict[str, int] = defaultdict(int)
        self._recent: dict[str, deque[Sent]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def send(self, number: int) -> Sent:
        """Send an event: a new one, most often."""
        draw = self._random.random
        customer = self._customers[int(draw() * len(self._customers))]
        drawn = draw()
        if drawn < REPEATED:
            recent = self._recent[customer]
            if recent:
                return recent[int(draw() * len(recent))]
        elif drawn > 1 - BROKEN:
            return Sent(customer, self._random.choice(list(DAMAGED)))
        sent = Sent(customer, self._event(customer, number, is_late=drawn < REPEATED + LATE))
        if customer in self._troubled and draw() < self._failing:
            failing = self._random.choice((("accounts",), ("journal",), ("accounts", "journal")))
            sent = Sent(customer, sent.text, failing, rejects=draw() < 0.2)
            if sent.rejects and self._may_forget:
                self._recent[customer].clear()
        self._recent[customer].append(sent)
        return sent

    def _event(self, customer: str, number: int, *, is_late: bool) -> str:
        draw = self._random.random
        account, kind = f"a{int(draw() * ACCOUNTS_PER_CUSTOMER)}", draw()
        payload = f'"customer":"{customer}","account":"{account}","number":{number}'
        name = "MOVED"
        if kind < GREETED:
            name = "GREETED"
        elif kind < GREETED + CLOSED:
            name = "CLOSED"
        elif kind < GREETED + CLOSED + PAID:
            name, payload = "PAID", f'{payload},"to":"a{int(draw() * ACCOUNTS_PER_CUSTOMER)}"'
        sequence = ""
        if customer in self._numbered:
            last = self._last[customer] = self._last[customer] + 1 + int(draw() * 3)
            late = 1 + int(draw() * 6) if is_late and customer not in self._troubled else 0
            sequence = f',"sequenceNumber":{max(last - late, 0)}'
        return (
            f'{{"eventId":"e{number}","type":"{name}","createdAt":{1_700_000_000_000 + number}{sequence},'
            f'"payload":{{{payload}}}}}'
        )
