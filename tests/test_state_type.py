"""A state that could not be read again, or leaves out defaults, is refused when its repository is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pytest
from msgspec import Struct
from pydantic import BaseModel

from kinesis_handler import ConfigurationError
from kinesis_handler.stores import open_store
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


class Model(BaseModel):
    n: int = 0


class Unknown(Struct):
    model: Model
    n: complex = 0j


OMITS = "Omitting has omit_defaults=True: a state is stored with all of its fields"


@pytest.mark.parametrize(
    "url", ["inmemory:", "sqlite:///{folder}/a.db", "dynamodb://Limits?region=eu-west-1"]
)
@pytest.mark.parametrize(
    ("state_type", "problem"),
    [
        (Omitting, OMITS),
        (Nested, OMITS),
        (Deep, OMITS),
        (Unknown, "no state of type Unknown can be stored: msgspec knows nothing of Model; allowed: a type"),
    ],
)
def test_a_state_that_could_not_be_read_again_or_leaves_out_defaults_is_refused_by_every_store(
    url: str, tmp_path: Path, state_type: type[Struct], problem: str
) -> None:
    store = open_store(url.format(folder=tmp_path))
    with pytest.raises(ConfigurationError, match=problem):
        store.repository(state_type)


def test_a_model_of_pydantic_is_no_state_in_memory_either() -> None:
    with pytest.raises(ConfigurationError, match="msgspec knows nothing of Model"):
        open_store("inmemory:").repository(Model)


@pytest.mark.parametrize("state_type", [Limit, LawState, str, int | None, dict[str, Any]])
def test_a_state_that_is_written_whole_is_taken(state_type: Any) -> None:
    check_state_type(state_type)
