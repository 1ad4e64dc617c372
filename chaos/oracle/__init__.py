"""The oracle: what one clean pass over a shard leads to, by the text of the domain alone.

It shares no code with what it judges. Records are read by Python's `json` and `gzip` and by AWS's own library
for KPL records, limits are dictionaries, and each rule is written out as plainly as can be. So a fault in
`src/` makes a difference, wherever it is: a function that both sides called would be wrong on both.
"""

from chaos.oracle.clean_pass import Expected, Oracle

__all__ = ["Expected", "Oracle"]
