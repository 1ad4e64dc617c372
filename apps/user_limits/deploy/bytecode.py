"""Compiles all sources of a folder: run by a Python of the version that is to read it.

`/var/task` cannot be written to: without bytecode beside them, each start of a function compiles its sources.
Bytecode is taken as it is, whatever the dates: the sources do not change behind it.
"""

import importlib.util
import py_compile
import sys
from pathlib import Path


def compile_folder(folder: Path) -> None:
    """Put the bytecode of each source, unless it is there, where an import looks for it."""
    for source in sorted(folder.rglob("*.py")):
        if Path(importlib.util.cache_from_source(str(source))).exists():
            continue
        place = f"/var/task/{source.relative_to(folder).as_posix()}"  # what tracebacks say
        py_compile.compile(
            str(source),
            dfile=place,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    compile_folder(Path(sys.argv[1]))
