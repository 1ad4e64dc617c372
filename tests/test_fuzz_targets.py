"""The targets of the search: what is stored of earlier searches, and some new inputs from a seed."""

import signal
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from fuzz.counted import search
from fuzz.facts import Nowhere
from fuzz.known import MOST_STORED, Corpus, read
from fuzz.targets import targets
from fuzz.targets.urls import TARGETS as URLS
from kinesis_handler import configure_logging
from kinesis_handler.errors import ConfigurationError

ALL = targets()
pytestmark = pytest.mark.filterwarnings("ignore:Key size should be")


@pytest.fixture(autouse=True)
def log_everything() -> None:
    configure_logging("tests", "debug", Nowhere())


@pytest.mark.parametrize("name", ALL)
def test_the_facts_hold_for_what_is_stored_and_for_new_inputs(name: str) -> None:
    figures = search(name, ALL[name], 2 * ALL[name].at_once, Random(1))
    assert figures.found == ""
    assert figures.effects > 0


@pytest.mark.parametrize("name", ALL)
def test_what_is_stored_is_small(name: str) -> None:
    stored = read(name)
    assert 0 < len(stored) <= MOST_STORED
    assert sum(map(len, stored)) < 64 * 1024


def test_an_input_that_breaks_a_fact_is_found_shortened_and_printed(monkeypatch: Any) -> None:
    def refuse_brackets(url: str, **_: object) -> Any:
        if "[" in url:
            raise ValueError("Invalid IPv6 URL")
        raise ConfigurationError("STORE is wrong; allowed: inmemory:")

    monkeypatch.setattr("fuzz.targets.urls.open_store", refuse_brackets)
    figures = search("URLs: stores", URLS["URLs: stores"], 100_000, Random(1))
    assert "ValueError: Invalid IPv6 URL" in figures.found
    assert figures.found.endswith("--target 'URLs: stores' --again Ww==")  # the bracket alone
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_an_effect_is_remembered_by_its_shortest_input() -> None:
    corpus = Corpus([b"seed"])
    for data, effect in ((b"long", "a"), (b"b", "b"), (b"s", "a"), (b"longer", "a")):
        corpus.add(data, effect)
    assert (corpus.inputs, corpus.found()) == ([b"seed", b"s", b"b"], [b"s", b"b"])


def test_a_fact_that_holds_for_each_input_alone_is_found_for_several() -> None:
    def check(inputs: Sequence[bytes]) -> Sequence[str]:
        assert len(set(inputs) & {b"a", b"b"}) < 2, "both at once"
        return ["" for _ in inputs]

    target = replace(URLS["URLs: quarantines"], check=check, seeds=[b"a", b"b"], words=[b"a", b"b"])
    figures = search("none of this name", target, 10_000, Random(1))
    assert "by 2 of 2 inputs" in figures.found
