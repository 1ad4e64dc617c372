"""Compile all sources of a folder; run by a Python of the version that reads the bytecode.

The folder of a function is read-only: without bytecode in it, each start compiles its sources. Bytecode is
used whatever the file dates are, because the sources do not change after it.
"""

import importlib.util
import py_compile
import sys
from pathlib import Path


def compile_folder(folder: Path, mounted_at: str) -> None:
    """Write the bytecode of each source, unless it exists, to the path where an import looks for it.

    Args:
        folder: of the sources.
        mounted_at: where Lambda has the folder: the beginning of the paths in tracebacks.
    """
    for source in sorted(folder.rglob("*.py")):
        if Path(importlib.util.cache_from_source(str(source))).exists():
            continue
        py_compile.compile(
            str(source),
            dfile=f"{mounted_at}/{source.relative_to(folder).as_posix()}",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    compile_folder(Path(sys.argv[1]), sys.argv[2])
