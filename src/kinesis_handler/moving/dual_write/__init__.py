"""A repository made of two, to move from one to the other while events keep flowing."""

from kinesis_handler.moving.dual_write.read_side import ReadSide
from kinesis_handler.moving.dual_write.repository import DualWriteRepository

__all__ = ["DualWriteRepository", "ReadSide"]
