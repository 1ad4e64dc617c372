"""The peer of the API as a Lambda function, for its cold start: on an empty store, without this project."""

from types import SimpleNamespace as Empty
from typing import Any

from mangum import Mangum

from benchmarks.fastapi_peer import peer

store: Any = Empty(find=lambda *_, **__: Empty(aggregates=(), cursor=None))
shown = Empty(tag_of_list=lambda *_: "", is_known=lambda *_: False, limit_document=None)
handler = Mangum(peer(store, shown), lifespan="off")
