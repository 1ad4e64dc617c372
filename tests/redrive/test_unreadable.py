"""What cannot be read, or does not belong into a quarantine, is named and stops nothing else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from kinesis_handler.errors import QuarantineError
from kinesis_handler.quarantine.contents import DONE, read_contents, remove_finished, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.s3 import S3Quarantine
from redrive.test_contents import RECORDS, mark, reject
from redrive.waiting import give_up, open_in
from testkit.emulators.wire import response
from testkit.quarantine import MemoryQuarantine

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def test_what_has_gone_since_it_was_listed_is_named_and_the_others_are_read(
    quarantine: MemoryQuarantine,
) -> None:
    reject(quarantine, RECORDS[:1])
    reject(quarantine, RECORDS[1:2])
    vanishing, _ = quarantine.names()

    class Vanishing(MemoryQuarantine):
        def read(self, name: str) -> bytes:
            self.objects.pop(vanishing, None)
            return super().read(name)

    listed = Vanishing()
    listed.objects = quarantine.objects
    contents = read_contents(listed)
    assert contents.unreadable.keys() == {vanishing}
    assert len(waiting_in([contents])) == 1


WITHOUT_A_NUMBER = (
    b'{"stream":"s","shardId":"0","sequenceNumber":"(","subSequenceNumber":0,"through":"handler","at":""}'
)


@pytest.mark.parametrize("content", [b"nonsense", WITHOUT_A_NUMBER])
def test_of_an_object_whose_marks_cannot_be_read_nothing_is_sent_and_nothing_removed(
    quarantine: MemoryQuarantine, content: bytes
) -> None:
    give_up(quarantine, RECORDS[:2])
    give_up(quarantine, RECORDS[2:])
    mark(quarantine, 0, 1, 2, 3)
    damaged, *others = [name for name in quarantine.names() if name.startswith(DONE)]
    quarantine.keep(damaged, content)
    contents = read_contents(quarantine)
    name = damaged.removeprefix(DONE).rpartition("/")[0]
    assert contents.unreadable.keys() == {damaged, name}
    assert waiting_in([contents]) == {}
    assert remove_finished([contents]) == 1
    assert list(quarantine.names()) == sorted([name, damaged, *others]), "its marks stay: one may be about it"


def test_a_folder_names_what_is_no_file_and_passes_over_what_is_hidden(tmp_path: Path) -> None:
    kept = DirectoryQuarantine(tmp_path)
    reject(kept, RECORDS[:2])
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("hidden")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    contents = read_contents(kept)
    assert contents.unreadable == {
        "pipe": "it is no file to be read: see what it is, and move it away",
        "dangling": "it has gone since it was listed: list again",
        "loop": "it cannot be read: Too many levels of symbolic links",
    }
    assert open_in(kept) == [0, 1]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("AccessDenied", "it may not be read: allow `s3:GetObject` on it, and `kms:Decrypt` on its key"),
        ("KMS.DisabledException", "it cannot be read: An error occurred (KMS.DisabledException) when"),
    ],
)
def test_an_object_that_a_bucket_does_not_give_is_named_with_what_to_do(
    bucket: str, code: str, told: str
) -> None:
    kept = S3Quarantine(bucket, "rejected", "us-east-1")
    reject(kept, RECORDS[:1])
    reject(kept, RECORDS[1:2])
    refused, _ = kept.names()
    with answering(kept, refused, 403, code):
        contents = read_contents(kept)
    assert contents.unreadable.keys() == {refused}
    assert contents.unreadable[refused].startswith(told)
    assert len(waiting_in([contents])) == 1


def test_an_object_is_asked_for_again_when_the_bucket_is_busy(bucket: str) -> None:
    kept = S3Quarantine(bucket, "rejected", "us-east-1")
    reject(kept, RECORDS[:1])
    [name] = kept.names()
    with answering(kept, name, 503, "SlowDown", times=1):
        assert read_contents(kept).unreadable == {}


def test_where_no_object_can_be_read_that_is_an_error_and_no_list_of_them(bucket: str) -> None:
    kept = S3Quarantine(bucket, "rejected", "us-east-1")
    reject(kept, RECORDS[:1])
    [name] = kept.names()
    with answering(kept, name, 400, "ExpiredToken"), pytest.raises(QuarantineError, match="ExpiredToken"):
        read_contents(kept)


def test_an_archived_object_is_named_and_what_a_console_makes_for_a_folder_is_none(
    bucket: str, s3_client: "S3Client"
) -> None:
    kept = S3Quarantine(bucket, "rejected", "us-east-1")
    reject(kept, RECORDS[:1])
    for folder in ("rejected/", "rejected/2026-11-18/", "rejected/done/"):
        s3_client.put_object(Bucket=bucket, Key=folder)
    s3_client.put_object(Bucket=bucket, Key="rejected/old.jsonl", Body=b"{}", StorageClass="GLACIER")
    contents = read_contents(kept)
    assert contents.unreadable == {
        "old.jsonl": "it is archived: restore it (`aws s3api restore-object`), then try again"
    }
    assert open_in(kept) == [0]


@contextmanager
def answering(kept: S3Quarantine, name: str, status: int, code: str, times: int = 100) -> Iterator[None]:
    """Answer as S3 does when it refuses an object, so many times."""
    left = times

    def before_send(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        nonlocal left
        if not request.url.endswith(name) or not left:
            return None
        left -= 1
        return response(status, f"<Error><Code>{code}</Code><Message>injected</Message></Error>")

    hooks: Any = kept._client.meta.events
    hooks.register("before-send.s3.GetObject", before_send)
    try:
        yield
    finally:
        hooks.unregister("before-send.s3.GetObject", before_send)
