"""Shows what a run has come to: how many changes were noticed, and those of which nothing is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from mutation.figures import LEAST, Module, equivalents
from mutation.mutants import Mutant, Verdict


@dataclass(frozen=True)
class Report:
    """What became of all mutants.

    Args:
        modules: the figures of each, by its name.
        unknown: those that no test noticed, and of which nothing is said.
    """

    modules: dict[str, Module]
    unknown: list[Mutant]

    @property
    def is_good(self) -> bool:
        """Whether enough are noticed, and each of the others is explained."""
        return not self.unknown and all(each.percent >= LEAST for each in self.modules.values())


def report_of(mutants: Sequence[Mutant]) -> Report:
    """Sum up what became of mutants."""
    known = {(each.function, each.was, becomes) for each in equivalents() for becomes in each.becomes}
    modules: dict[str, Module] = {}
    unknown: list[Mutant] = []
    for mutant in mutants:
        module = modules.setdefault(mutant.module, Module())
        module.mutants += 1
        if mutant.verdict in (Verdict.KILLED, Verdict.ENDLESS):
            module.noticed += 1
        elif (mutant.function, *mutant.change()) in known:
            module.equivalent += 1
        else:
            unknown.append(mutant)
    return Report(modules, unknown)


def print_report(report: Report, tests_seconds: float, seconds: float) -> None:
    """Print each mutant of which nothing is known, and the figures of each module."""
    console = Console(highlight=False, soft_wrap=True)
    for mutant in report.unknown:
        was, becomes = mutant.change()
        console.print(f"[bold]{mutant.function}[/]: {mutant.verdict}")
        console.print(f"- {was}\n+ {becomes}", markup=False)
    table = Table("module", "changes", "noticed", "no difference", "percent noticed", box=None)
    for name, each in report.modules.items():
        table.add_row(name, f"{each.mutants}", f"{each.noticed}", f"{each.equivalent}", f"{each.percent:.1f}")
    console.print(table)
    console.print(
        f"{len(report.unknown)} unexplained. "
        f"The tests take {tests_seconds:.0f} seconds of CPU time, called once; "
        f"all took {seconds:.0f} seconds."
    )
