"""The SQL of a repository in SQLite. `{table}` stands for the name of its table.

Text is read as bytes, and decoded by the repository: what is no UTF-8 would otherwise fail the whole of an
answer.
"""

LOAD = """
    SELECT CAST(version AS INTEGER), CAST(document AS BLOB) FROM {table}
    WHERE partition = :partition AND sort = :sort AND (expires_at IS NULL OR expires_at > :now)
"""
FIND = """
    SELECT CAST(partition AS BLOB), CAST(sort AS BLOB), CAST(version AS INTEGER), CAST(document AS BLOB)
    FROM {table}
    WHERE partition = CAST(:partition AS TEXT) AND sort > CAST(:sort AS TEXT) AND typeof(sort) = 'text'
        AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY sort LIMIT :limit
"""
SCAN = """
    SELECT CAST(partition AS BLOB), CAST(sort AS BLOB), CAST(version AS INTEGER), CAST(document AS BLOB)
    FROM {table}
    WHERE (partition, sort) > (CAST(:partition AS TEXT), CAST(:sort AS TEXT))
        AND typeof(partition) = 'text' AND typeof(sort) = 'text' AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY partition, sort LIMIT :limit
"""
WITHOUT_KEY = """
    SELECT CAST(partition AS BLOB), CAST(sort AS BLOB) FROM {table}
    WHERE (typeof(partition) <> 'text' OR typeof(sort) <> 'text')
        AND (expires_at IS NULL OR expires_at > :now)
"""
# Rows are written by position: names take a third longer.
INSERT = "INSERT INTO {table} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
UPDATE = """
    UPDATE {table} SET version = ?, expires_at = ?, document = ?
    WHERE partition = ? AND sort = ? AND version = ?
        AND json_extract(document, '$.parked.count', '$.parked.recordSequenceNumber',
            '$.parked.recordSubSequenceNumber') = ?
"""
DELETE = "DELETE FROM {table} WHERE partition = :partition AND sort = :sort"
DELETE_EXPIRED = "DELETE FROM {table} WHERE expires_at <= :now"
