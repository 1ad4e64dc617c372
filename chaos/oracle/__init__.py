"""The oracle: the result of one clean pass over a shard, from the text of the domain alone.

It shares no code with what it judges. Records are read by Python's `json` and `gzip` and by AWS's own library
for KPL records, limits are dictionaries, and each rule is written out as plainly as possible. So any fault in
`src/` makes a difference: a function that both sides call would be wrong on both.
"""

from chaos.oracle.clean_pass import Expected, Oracle

__all__ = ["Expected", "Oracle"]
