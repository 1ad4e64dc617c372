"""Compile all sources of a folder; run by a Python of the version that reads the bytecode.

`/var/task` is read-only: without bytecode in it, each start of a function compiles its sources. Bytecode is
used whatever the file dates are, because the sources do not change after it.
"""

import importlib.util
import py_compile
import sys
from pathlib import Path


def compile_folder(folder: Path) -> None:
    """Write the bytecode of each source, unless it exists, to the path where an import looks for it."""
    for source in sorted(folder.rglob("*.py")):
        if Path(importlib.util.cache_from_source(str(source))).exists():
            continue
        path = f"/var/task/{source.relative_to(folder).as_posix()}"  # the path in tracebacks
        py_compile.compile(
            str(source),
            dfile=path,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    compile_folder(Path(sys.argv[1]))
