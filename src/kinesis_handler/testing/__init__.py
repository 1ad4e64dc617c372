"""Helps to test applications and the library: records, a clock, faults, and the laws of a repository."""

from kinesis_handler.testing.faults import FaultyRepository
from kinesis_handler.testing.law_states import LawState
from kinesis_handler.testing.laws import RepositoryLaws
from kinesis_handler.testing.records import FakeClock, invocation
from kinesis_handler.testing.stored_laws import StoredLaws

__all__ = ["FakeClock", "FaultyRepository", "LawState", "RepositoryLaws", "StoredLaws", "invocation"]
