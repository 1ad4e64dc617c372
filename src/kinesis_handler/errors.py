"""Every error of the engine, one tree.

KinesisHandlerError
├── ConfigurationError           what was built cannot work: stops the start
│   └── StoreUnavailableError        the store does not answer at the start
├── InvalidInvocationError       not a Kinesis batch: raised, so Lambda retries the whole of it
├── UnreadableInputError         a file of events that the command line cannot read
├── InvalidCursorError           the cursor of a page that nobody handed out
├── StreamError                  a stream cannot be read or written: it is not there, or may not be used
│   ├── StreamUnavailableError       it does not answer just now, or is throttled
│   └── ExpiredCheckpointError       the stream no longer has what comes behind a checkpoint
└── ProcessingError              what kept one record from being applied
    ├── RejectedError            it can never succeed: kept aside, the stream goes on
    │   ├── UndecodableRecordError   base64, checksum, gzip, size
    │   ├── InvalidEventError        JSON, schema
    │   └── UnstorableError          what it leads to is more than the store can keep
    └── RetryableError              it may succeed later: a batch item failure
        ├── BusinessError            a rule of the domain says not now
        ├── RepositoryError          the store did not answer, or said no
        │   ├── ConflictError            other writers kept winning
        │   └── UnreadableError          what is stored is damaged, or of another type
        ├── QuarantineError          it is rejected, and could not be kept aside
        │   └── UnreadableObjectError    one object of a quarantine; the others can be read
        ├── HeldBackError            an earlier event of the same key failed
        ├── OutOfTimeError           the deadline of the invocation came near
        ├── InvalidResultError       a function of a processor returned what it may not
        └── UnexpectedError          a processor raised something that is none of these

The message of a `ProcessingError` is logged and stored: it names fields and places, and no payload value but
the key of what cannot be read.
"""


class KinesisHandlerError(Exception):
    """The root: `except KinesisHandlerError` catches all that the engine raises.

    To do: read which of those below it is.
    """


class ConfigurationError(KinesisHandlerError):
    """What was built cannot work. The message names the part, its value and what is allowed.

    To do: what the message says, then start again.
    """


class StoreUnavailableError(ConfigurationError):
    """The store does not answer at the start: it is down, or what says where it is is wrong.

    To do: if the message names the right store, nothing: `consume` asks again. Else mend the setting.
    """


class InvalidInvocationError(KinesisHandlerError):
    """Lambda handed over something that cannot be answered with batch item failures.

    To do: see that the function's only trigger is a Kinesis stream, and that a test invocation has `Records`.
    """


class UnreadableInputError(KinesisHandlerError):
    """A file of events cannot be read. The message says which event, which line, and why.

    To do: mend the file there. A single event that is JSON and not valid needs no mending: it is rejected.
    """


class InvalidCursorError(KinesisHandlerError):
    """The cursor that asked for a page was not handed out with the page before it.

    To do: begin again without a cursor.
    """


class StreamError(KinesisHandlerError):
    """A Kinesis stream cannot be read or written. The message names the stream, and says why.

    To do: check its name, the region and the permissions; `AWS_ENDPOINT_URL_KINESIS` if it is set.
    """


class StreamUnavailableError(StreamError):
    """The stream is throttled, or the service does not answer: to ask again later may help.

    To do: nothing, `consume` asks again. If it lasts, give the stream more shards, or read it less often.
    """


class ExpiredCheckpointError(StreamError):
    """The stream refuses the sequence number of a checkpoint: it no longer has it, or never had.

    To do: nothing, `consume` goes on from the oldest record, and logs from when to when records are lost.
    """


class ProcessingError(KinesisHandlerError):
    """What kept one record from being applied.

    To do: find the record by its place, which is in the same log line.
    """


class RejectedError(ProcessingError):
    """The record can never succeed. It is acknowledged, so that it does not block its shard.

    To do: `quarantine list` says how many there are and why; once mended, `redrive` sends them again.
    """


class UndecodableRecordError(RejectedError):
    """The record's data cannot be unpacked: base64, aggregation, gzip, or too large.

    To do: mend its producer; if it is only too large, raise `MAX_UNPACKED_BYTES`, then redrive.
    """


class InvalidEventError(RejectedError):
    """The record's data is not the JSON event that its type asks for.

    Where the envelope could be read, the error knows the event's id, type and correlation id.

    To do: mend the producer, or the schema if it asks for too much, then redrive through the handler.
    """

    def __init__(
        self,
        reason: str,
        event_id: str | None = None,
        event_type: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.event_id = event_id
        self.event_type = event_type
        self.correlation_id = correlation_id


class UnstorableError(RejectedError):
    """The store can never keep what the event leads to: too large, or a number out of its range.

    To do: let `apply` keep less, or reject such an event with words of its own.
    """


class RetryableError(ProcessingError):
    """The record may succeed later. It is reported, and Lambda delivers it again.

    To do: nothing at first. What is given up is kept by the on-failure destination: `redrive` sends it again.
    """


class BusinessError(RetryableError):
    """A rule of the domain refuses the event for now, for one that needs what is not known yet.

    To do: supply what it needs, such as the events before it (`consume` into the same store), then redrive.
    """


class RepositoryError(RetryableError):
    """The store did not answer, or refused.

    To do: look at the store's throttling and health, and at the function's permissions on it.
    """


class ConflictError(RepositoryError):
    """Other writers changed the aggregate each time between our read and our write.

    To do: see that all events of a key have one partition key, so that one shard at a time writes it.
    """


class UnreadableError(RepositoryError):
    """What is stored under one key is damaged, or of another type. The message names the key and the table.

    It concerns that key alone, and waiting does not help.

    To do: repair it where it is stored; or delete it there, then redrive or replay the events of its key.
    """


class QuarantineError(RetryableError):
    """The record can never succeed, but the quarantine did not take it: it must not be lost.

    To do: see that the bucket or folder is there and may be written: `s3:PutObject` is enough.
    """


class UnreadableObjectError(QuarantineError):
    """One object of a quarantine cannot be read, or is none of what belongs there. The others can be.

    To do: what the message says. The records in it wait until it can be read, and are not lost.
    """


class HeldBackError(RetryableError):
    """An earlier event of the same key failed: this one waits behind it, to keep their order.

    To do: look for the earlier one, which says why.
    """


class OutOfTimeError(RetryableError):
    """The invocation's deadline came near before this event had its turn.

    To do: nothing if it is rare. Else raise the function's timeout or memory, or lower the batch size.
    """


class InvalidResultError(RetryableError):
    """A function of a processor returned what it may not: most likely a bug. Nothing was stored.

    To do: mend the function that the reason names; until then Lambda delivers the event again.
    """


class UnexpectedError(RetryableError):
    """A processor raised something outside this tree: most likely a bug. `__cause__` has it.

    To do: mend what the reason names by file and line; `LOG_LEVEL=debug` logs the traceback.
    """

    def __init__(self, cause: Exception) -> None:
        # By its type and place only: its own text may quote the payload.
        super().__init__(f"{type(cause).__name__} raised{_place(cause)}")
        self.__cause__ = cause


def _place(error: Exception) -> str:
    traceback = error.__traceback__
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f" at {code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} in {code.co_name}"
