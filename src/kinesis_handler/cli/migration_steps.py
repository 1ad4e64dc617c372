"""Where a move is: who decides, which steps are safe now, and what has to be done before the others. Pure."""

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import Record, Standing

AT_ONCE = "at once"


def who_decides(phase: Phase | None, standing: Standing) -> str:
    """Return which store has to take an event for it to be acknowledged."""
    if phase is Phase.TARGET or (phase is Phase.DUAL_READ_TARGET and standing is Standing.LEADS):
        return "the target"
    if phase is Phase.DUAL_READ_TARGET:
        return "both" if standing is Standing.FOLLOWS else "both, on the way back"
    return "the source"


def next_steps(
    phase: Phase | None, standing: Standing, pending: int, verified: Aggregate[Record] | None
) -> list[tuple[str, str]]:
    """Return where to go, and what to do before."""
    clean = verified is not None and not verified.state.left and not pending
    match phase:
        case None:
            return [("source", "set MIGRATION_PHASE in all handlers, as a file or in AppConfig")]
        case Phase.SOURCE:
            return [("dual-read-source", AT_ONCE)]
        case Phase.DUAL_READ_SOURCE:
            on = AT_ONCE if clean else "after `migrate copy`, then `migrate verify --repair`"
            return [("dual-read-target", on), ("source", AT_ONCE)]
        case Phase.DUAL_READ_TARGET:
            on = AT_ONCE if standing is Standing.LEADS else "after `migrate verify --lead`"
            back = "after `migrate verify --back`, run twice a minute apart"
            return [
                ("target", on),
                ("dual-read-source", AT_ONCE if standing is Standing.FOLLOWS else back),
            ]
        case Phase.TARGET:
            return [("the end", "remove the settings of the move"), ("dual-read-target", AT_ONCE)]
