"""Messages of Protobuf, as a compiled parcels_pb2 would have them: no compiler is needed for the tests.

message Scanned  { string parcel = 1; string depot = 2; int64 grams = 3; }
message Envelope { string id = 1; string kind = 2; int64 at_ms = 3; Scanned scanned = 4; string tenant = 5;
                   int64 number = 15; }
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.builder import BuildMessageAndEnumDescriptors, BuildTopDescriptorsAndMessages

_TEXT, _INTEGER, _MESSAGE = (
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_MESSAGE,
)

_FIELDS: dict[str, dict[str, tuple[int, int]]] = {
    "Scanned": {"parcel": (1, _TEXT), "depot": (2, _TEXT), "grams": (3, _INTEGER)},
    "Envelope": {
        "id": (1, _TEXT),
        "kind": (2, _TEXT),
        "at_ms": (3, _INTEGER),
        "scanned": (4, _MESSAGE),
        "tenant": (5, _TEXT),
        "number": (15, _INTEGER),
    },
}


def _classes() -> dict[str, Any]:
    """Make the classes as a compiled file does: each belongs to a module, which holds it."""
    file = FileDescriptorProto(name="parcels.proto", package="parcels", syntax="proto3")
    for message_name, fields in _FIELDS.items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number, type=kind)
            field.label = FieldDescriptorProto.LABEL_OPTIONAL
            if kind == _MESSAGE:
                field.type_name = ".parcels.Scanned"
    made: dict[str, Any] = {}
    described = DescriptorPool().AddSerializedFile(file.SerializeToString())
    BuildMessageAndEnumDescriptors(described, made)
    BuildTopDescriptorsAndMessages(described, __name__, made)
    return made


_MADE = _classes()
Envelope = _MADE["Envelope"]
