"""The words of the domain, for peers that must not import the project: its start would count as theirs."""

from typing import Literal

LimitType = Literal["BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"]
Period = Literal[
    "CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "DAY", "WEEK", "MONTH", "INDEFINITE", "INSTANCE"
]
LimitStatus = Literal["ACTIVE", "CANCELED", "FUTURE", "IN_COOLDOWN"]
