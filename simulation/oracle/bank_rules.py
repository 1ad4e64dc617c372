"""What the events of a bank mean, for each of its readers."""

from simulation.oracle.ledger import Fields, Key, Rules


def _account(event: Fields) -> list[Key]:
    payload = event["payload"]
    return [(payload["customer"], payload["account"])] if event["type"] in {"MOVED", "CLOSED"} else []


def _both_accounts(event: Fields) -> list[Key]:
    payload = event["payload"]
    if event["type"] not in {"MOVED", "PAID"}:
        return []
    return [(payload["customer"], payload[name]) for name in ("account", "to") if name in payload]


def _after(movements: list[int] | None, event: Fields) -> list[int] | None:
    return None if event["type"] == "CLOSED" else [*(movements or ()), event["payload"]["number"]]


RULES = {"accounts": Rules(_account, _after), "journal": Rules(_both_accounts, _after)}
