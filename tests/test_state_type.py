"""A state whose written form leaves out defaults is refused when its repository is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pytest
from msgspec import Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.stores.state_type import check_state_type
from kinesis_handler.testing import LawState
from user_limits.limit import Limit


class Omitting(Struct, omit_defaults=True):
    count: int = 0


class Nested(Struct):
    parts: dict[str, list[Omitting | None]]


class Named(NamedTuple):
    part: Omitting


class Typed(TypedDict):
    part: Named


@dataclass
class Plain:
    part: Typed


class Deep(Struct):
    part: Plain
    again: "Deep | None" = None


@pytest.mark.parametrize("state_type", [Omitting, Nested, Deep])
def test_a_state_that_leaves_out_defaults_anywhere_in_it_is_refused_by_every_store(
    tmp_path: Path, state_type: type[Struct]
) -> None:
    said = "Omitting has omit_defaults=True: a state is stored with all of its fields"
    with pytest.raises(ConfigurationError, match=said):
        SQLiteRepository(tmp_path / "states.db", state_type)
    with pytest.raises(ConfigurationError, match=said):
        ItemCodec(state_type, "userId", "limitId")


@pytest.mark.parametrize("state_type", [Limit, LawState, str, int | None, dict[str, Any]])
def test_a_state_that_is_written_whole_is_taken(state_type: Any) -> None:
    check_state_type(state_type)
