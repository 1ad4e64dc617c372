"""Every error of the engine, one tree.

KinesisHandlerError
├── ConfigurationError           the set-up cannot work: stops the start
│   └── StoreUnavailableError        the store does not answer at the start
├── InvalidInvocationError       not a Kinesis batch: raised, so Lambda retries the whole batch
├── UnreadableInputError         the command line cannot read a file of events
├── InvalidCursorError           the cursor did not come with a page
├── StreamError                  a stream cannot be read or written: it is missing, or access is denied
│   ├── StreamUnavailableError       it does not answer now, or is throttled
│   └── ExpiredCheckpointError       the stream no longer has the records after a checkpoint
└── ProcessingError              one record was not applied
    ├── RejectedError            it can never succeed: quarantined, the stream goes on
    │   ├── UndecodableRecordError   base64, checksum, gzip, zlib, size
    │   ├── InvalidEventError        JSON, envelope, schema
    │   └── UnstorableError          the store cannot hold the resulting state
    └── RetryableError           it may succeed later: a batch item failure
        ├── BusinessError            it depends on state that has not arrived yet
        ├── RepositoryError          the store did not answer, or refused
        │   ├── ConflictError            other writers won every attempt
        │   └── UnreadableError          the stored state is damaged, or of another type
        ├── QuarantineError          it is rejected, and the quarantine did not take it
        │   └── UnreadableObjectError    one object of a quarantine; the others can be read
        ├── HeldBackError            an earlier event of the same key failed
        ├── ParkedError              an earlier event of the same key is parked
        ├── OutOfTimeError           the deadline of the invocation came near
        ├── OnChangeError            the change is stored, and `on_change` raised
        ├── InvalidResultError       a function of a processor returned an invalid value
        └── UnexpectedError          a processor raised an exception outside this tree

The message of a `ProcessingError` is logged and stored: it names fields and positions, and no payload value
except the key of a state that cannot be read.
"""


class KinesisHandlerError(Exception):
    """The root: `except KinesisHandlerError` catches every error that the engine raises.

    To do: read which of its subclasses it is.
    """


class ConfigurationError(KinesisHandlerError):
    """The set-up cannot work. The message names the part, its value and what is allowed.

    To do: follow the message, then start again.
    """


class StoreUnavailableError(ConfigurationError):
    """The store does not answer at the start: it is down, or the setting that names it is wrong.

    To do: nothing if the message names the right store: `consume` tries again. Else correct the setting.
    """


class InvalidInvocationError(KinesisHandlerError):
    """Lambda passed an invocation that cannot be answered with batch item failures.

    To do: check that the function's only trigger is a Kinesis stream, and that a test invocation has
    `Records`.
    """


class UnreadableInputError(KinesisHandlerError):
    """A file of events cannot be read. The message says which event, which line, and why.

    To do: correct the file at that line. An event that is JSON but not valid is rejected, not refused here.
    """


class InvalidCursorError(KinesisHandlerError):
    """The cursor did not come with an earlier page of the same list.

    To do: begin again without a cursor.
    """


class StreamError(KinesisHandlerError):
    """A Kinesis stream cannot be read or written. The message names the stream, and says why.

    To do: check its name, the region and the permissions; `AWS_ENDPOINT_URL_KINESIS` if it is set.
    """


class StreamUnavailableError(StreamError):
    """The stream is throttled, or the service does not answer: a later attempt may succeed.

    To do: nothing, `consume` tries again. If it persists, add shards to the stream, or read it less often.
    """


class ExpiredCheckpointError(StreamError):
    """The stream refuses the sequence number of a checkpoint: it no longer has it, or never had.

    To do: nothing, `consume` continues from the oldest record, and logs the period of the lost records.
    """


class ProcessingError(KinesisHandlerError):
    """One record was not applied.

    To do: find the record by its position, which is in the same log line.
    """


class RejectedError(ProcessingError):
    """The record can never succeed. It is acknowledged, so that it does not block its shard.

    To do: `quarantine list` counts them by reason; when the cause is fixed, `redrive` sends them again.
    """


class UndecodableRecordError(RejectedError):
    """The record's data cannot be unpacked: base64, KPL format, gzip, zlib, or too large.

    To do: fix its producer; if it is only too large, raise `MAX_UNPACKED_BYTES`, then redrive.
    """


class InvalidEventError(RejectedError):
    """The record's data is not an event in the handler's envelope that matches the schema of its type.

    If the envelope could be read, the error has the event's id, type and correlation id.

    To do: fix the producer, or the schema if it is too strict, then redrive through the handler.
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
    """The store can never hold the state after the event: too large, or a number out of its range.

    To do: let `apply` return a smaller state, or raise `RejectedError` with a message of its own.
    """


class RetryableError(ProcessingError):
    """The record may succeed later. It is reported, and Lambda delivers it again.

    To do: nothing at first. Given-up records are in the on-failure destination: `redrive` sends them again.
    """


class BusinessError(RetryableError):
    """The event is valid but depends on state that has not arrived yet.

    To do: supply that state, such as the events before it (`consume` into the same store), then redrive.
    """


class RepositoryError(RetryableError):
    """The store did not answer, or refused.

    To do: check the store's throttling and health, and the function's permissions on it.
    """


class ConflictError(RepositoryError):
    """Other writers changed the aggregate between read and write, at every attempt.

    To do: check that all events of a key have one partition key, so that one shard at a time writes it.
    """


def conflict_error(attempts: int) -> ConflictError:
    """Return the error of a key in whose way other writers came at each attempt."""
    return ConflictError(f"changed by other writers {attempts} times in a row")


class UnreadableError(RepositoryError):
    """The state stored under one key is damaged, or of another type. The message names the key and the table.

    It concerns that key alone, and a later attempt does not help.

    To do: repair the stored state; or delete it, then redrive or replay the events of its key.
    """


class QuarantineError(RetryableError):
    """The record can never succeed, but the quarantine did not take it: it must not be lost.

    To do: check that the bucket or folder exists and can be written: `s3:PutObject` is enough.
    """


class UnreadableObjectError(QuarantineError):
    """One object of a quarantine cannot be read, or is not a quarantine object. The others can be read.

    To do: follow the message. The records in it wait until it can be read, and are not lost.
    """


class HeldBackError(RetryableError):
    """An earlier event of the same key failed: this one waits behind it, so that their order holds.

    To do: look for the earlier event, whose log line has the cause.
    """


class ParkedError(RetryableError):
    """An earlier event of the same key is parked: this one waits behind it, so that their order holds.

    To do: `parked list` says why; mend that, then `redrive --through handler`.
    """


class OutOfTimeError(RetryableError):
    """The deadline of the invocation came near before this event was processed.

    To do: nothing if it is rare. Else raise the function's timeout or memory, or lower the batch size.
    """


class OnChangeError(RetryableError):
    """A change is stored, and `on_change` of its projection raised: it is called again at the next delivery.

    To do: fix what the reason names. The state is right; those whom `on_change` informs wait.
    """

    def __init__(self, projection: str, cause: Exception) -> None:
        what = f"{type(cause).__name__} raised{_location(cause)}"
        super().__init__(f"the change is stored, and `on_change` of {projection} was not done: {what}")
        self.__cause__ = cause


class InvalidResultError(RetryableError):
    """A function of a processor returned an invalid value: most likely a bug. Nothing was stored.

    To do: fix the function that the reason names; until then Lambda delivers the event again.
    """


class UnexpectedError(RetryableError):
    """A processor raised an exception outside this tree: most likely a bug. It is the `__cause__`.

    To do: fix the code that the reason names by file and line; `LOG_LEVEL=debug` logs the traceback.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(raised(cause))
        self.__cause__ = cause


def raised(error: Exception) -> str:
    """Return which error was raised, and where. Its own text may quote the payload, and is left out."""
    return f"{type(error).__name__} raised{_location(error)}"


def _location(error: Exception) -> str:
    traceback = error.__traceback__
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f" at {code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} in {code.co_name}"
