"""What a move keeps beside the two stores: what either lacks, and how far it all is."""

from msgspec import Struct

from kinesis_handler.moving.records import Records
from kinesis_handler.moving.repairs import Repairs


class Ledger(Struct, frozen=True):
    """The notes of one move. What a side lacks is noted beside the other one, which decides then.

    Args:
        of_target: what the target lacks; kept beside the source.
        of_source: what the source lacks; kept beside the target.
        records: how far the move is; kept beside the target.
    """

    of_target: Repairs
    of_source: Repairs
    records: Records
