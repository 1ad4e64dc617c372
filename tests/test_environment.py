"""Settings from environment variables: what is taken, and how a wrong value is refused."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.environment import read_environment

Word = Annotated[str, Meta(pattern=r"\A[a-z]+\Z", description="a word in lower case")]


class Settings(Struct, frozen=True, kw_only=True):
    name: str = "nameless"
    mode: Literal["fast", "slow"] = "slow"
    port: Annotated[int, Meta(ge=1, lt=65_536, description="a whole number from 1 to 65535")] = 80
    words: tuple[Word, ...] = ()
    region: Word | None = None


def test_a_field_is_read_from_the_variable_of_its_name_in_upper_case() -> None:
    environment = {
        "NAME": "n",
        "MODE": "FAST",
        "PORT": "8080",
        "WORDS": "a, b,",
        "REGION": "north",
        "OTHER": "1",
    }
    assert read_environment(Settings, environment) == Settings(
        name="n", mode="fast", port=8080, words=("a", "b"), region="north"
    )


def test_what_is_missing_or_empty_has_its_default() -> None:
    assert read_environment(Settings, {"NAME": "", "PORT": ""}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "named", "allowed"),
    [
        ("NAME", " ", " ", "any text, or leave it out"),
        ("MODE", "medium", "medium", "fast, slow"),
        ("PORT", "0", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "65536", "a whole number from 1 to 65535"),
        ("PORT", "9" * 5_000, "9" * 5_000, "a whole number from 1 to 65535"),
        ("PORT", "080", "080", "a whole number from 1 to 65535"),
        ("WORDS", "a, B", "B", "a word in lower case"),
        ("WORDS", "a b", "a b", "a word in lower case"),
        ("REGION", "a\nb", "a\nb", "a word in lower case"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_what_is_allowed(
    variable: str, value: str, named: str, allowed: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_environment(Settings, {variable: value})
    assert str(caught.value) == f"{variable} is {named!r}; allowed: {allowed}"
