"""Builds what Lambda runs: dependencies, packages of one's own, and the bytecode of both.

The same input gives the same bytes.
"""

import hashlib
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from kinesis_handler.project.programs import compile_with, pip, python_of
from kinesis_handler.project.runtime import Runtime
from kinesis_handler.project.sbom import ENDING, bill_of_materials

LIBRARY = Path(__file__).parent.parent
"""The folder of this library, which is copied as it is."""

NOT_ON_LAMBDA = tuple(f"kinesis_handler/{name}" for name in ("cli", "operator_page", "project", "testing"))
"""Parts of the library that no function needs. A function may redrive."""

FUNCTION_AT, LAYER_AT = "/var/task", "/opt/python"
"""Where Lambda has the folder of a function, and the one of its layers."""

_LAYER_FOLDER = "python/"
"""Where the modules of a layer are in its zip."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file in a zip, the earliest that the format allows."""

# Files of dependencies that no function reads: tools, types, tests, extensions that nothing calls, and
# pip's own notes.
_UNUSED = (
    "bin",
    "**/*.pyi",
    "**/*.[ch]",
    "**/_tests",
    "**/_testcapi*.so",
    "cffi",  # cryptography needs only its backend, which is a module of its own
    "litestar/cli",
    "litestar/testing",
    "yaml/_yaml*.so",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/INSTALLER",
    "*.dist-info/direct_url.json",
)


class Contents(Struct, frozen=True):
    """What an artifact is made of.

    Args:
        name: of the folder and the zip.
        requirements: its dependencies with their versions, as a file of requirements. If one has a hash, all
            must have.
        sources: folders of packages, and files of modules, that are copied.
        left_out: paths below the artifact that are removed again, as patterns.
    """

    name: str
    requirements: str
    sources: Sequence[Path]
    left_out: Sequence[str] = NOT_ON_LAMBDA

    @property
    def pinned(self) -> list[str]:
        """The dependencies with their versions, without hashes and comments."""
        return re.findall(r"^(?:[\w.-]+==[^\s;]+|[\w.-]+ @ \S+)", self.requirements, re.MULTILINE)


class Artifact(Struct, frozen=True):
    """A folder, the zip of it, and beside them the list of what is in it."""

    folder: Path
    zip: Path

    @property
    def bill_of_materials(self) -> Path:
        """The file that lists what is in it, in CycloneDX's format."""
        return self.folder.with_name(f"{self.folder.name}{ENDING}")

    @property
    def digest(self) -> str:
        """SHA-256 of the zip."""
        return hashlib.sha256(self.zip.read_bytes()).hexdigest()

    @property
    def unpacked(self) -> int:
        """Size of all files, in bytes."""
        return sum(path.stat().st_size for path in _files(self.folder))


def build(
    contents: Contents, runtime: Runtime | None, into: Path, *, cache: Path, python: str | None = None
) -> Artifact:
    """Build a function into a folder and a zip, both with its name.

    Args:
        contents: what is in it.
        runtime: what it is for; None for this machine and this Python.
        into: the folder that both are written to.
        cache: cache of installed dependencies: the next build needs no network, and no time.
        python: a Python of the runtime's version, which compiles the bytecode; None to look for one.

    Raises ArtifactError if something that the build needs is missing.
    """
    compiler = _compiler(runtime, python)
    dependencies = _with_bytecode(contents, runtime, compiler, FUNCTION_AT, cache)
    folder = _emptied(into / contents.name)
    shutil.copytree(dependencies, folder)
    _add_sources(contents, folder)
    compile_with(compiler, folder, FUNCTION_AT)
    return _artifact(folder)


def build_with_layer(
    contents: Contents, runtime: Runtime | None, into: Path, *, cache: Path, python: str | None = None
) -> tuple[Artifact, Artifact]:
    """Build a function without its dependencies, and a layer of them. The arguments are those of `build`.

    The function changes with each deployment; the layer, which has this library too, only with its versions.
    """
    compiler = _compiler(runtime, python)
    layer = _emptied(into / f"{contents.name}-layer")
    shutil.copytree(_with_bytecode(contents, runtime, compiler, LAYER_AT, cache), layer)
    folder = _emptied(into / contents.name)
    folder.mkdir(parents=True)
    _add_sources(contents, folder)
    shutil.move(folder / LIBRARY.name, layer / LIBRARY.name)
    compile_with(compiler, layer, LAYER_AT)
    compile_with(compiler, folder, FUNCTION_AT)
    return _artifact(folder), _artifact(layer, _LAYER_FOLDER)


def _artifact(folder: Path, inside: str = "") -> Artifact:
    """Zip a folder, and list what is in it."""
    artifact = Artifact(folder, _zipped(folder, folder.with_name(f"{folder.name}.zip"), inside))
    artifact.bill_of_materials.write_bytes(bill_of_materials(folder.name, folder, artifact.zip))
    return artifact


def install(contents: Contents, runtime: Runtime | None, cache: Path) -> Path:
    """Return a folder with the dependencies, installed once for each set of requirements.

    Raises ArtifactError if pip fails.
    """
    options = ["--no-deps", "--only-binary", ":all:", "--no-compile"]
    if "--hash=" in contents.requirements:
        options.append("--require-hashes")
    if runtime is not None:
        options += ["--implementation", "cp", "--python-version", runtime.python]
        options += [option for tag in runtime.tags for option in ("--platform", tag)]
    inputs = "\n".join([*options, *_UNUSED, "" if runtime is not None else sys.version])
    digest = hashlib.sha256(contents.requirements.encode() + inputs.encode()).hexdigest()
    kind = "host" if runtime is None else f"{runtime.python}-{runtime.architecture}"

    def installed(folder: Path) -> None:
        folder.mkdir()
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
            requirements.write(contents.requirements)
            requirements.flush()
            pip(["install", *options, "--target", str(folder), "--requirement", requirements.name])
        _remove(folder, _UNUSED)

    return made_once(cache / f"{contents.name}-{kind}-{digest[:12]}", installed)


def _compiler(runtime: Runtime | None, python: str | None) -> str:
    return sys.executable if runtime is None else python_of(runtime.python, python)


def _with_bytecode(
    contents: Contents, runtime: Runtime | None, compiler: str, mounted_at: str, cache: Path
) -> Path:
    """Return a folder with the dependencies and their bytecode."""
    installed = install(contents, runtime, cache)

    def compiled(folder: Path) -> None:
        shutil.copytree(installed, folder)
        compile_with(compiler, folder, mounted_at)

    return made_once(
        installed.with_name(f"{installed.name}-bytecode{mounted_at.replace('/', '-')}"), compiled
    )


def _add_sources(contents: Contents, folder: Path) -> None:
    """Copy this library and the packages of one's own into a folder, but for what is left out."""
    ignored = shutil.ignore_patterns("__pycache__", "py.typed")
    for source in (LIBRARY, *contents.sources):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=ignored)
        else:
            shutil.copy(source, folder)
    _remove(folder, contents.left_out)


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder; if it is missing, make it, so that it is never incomplete.

    `make` makes it inside of a temporary folder, which it may use. If two processes do so at the same time,
    both use that of the first.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            make(made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    return folder


def _emptied(folder: Path) -> Path:
    """Remove a folder of an earlier build, and return its path."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _remove(folder: Path, patterns: Sequence[str]) -> None:
    for path in [found for pattern in patterns for found in folder.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _zipped(folder: Path, file: Path, inside: str = "") -> Path:
    """Put a folder's files into a zip: sorted, with equal dates, readable by all."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(inside + path.relative_to(folder).as_posix(), _EPOCH)
            entry.create_system = 3  # Unix, on any machine
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return file


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}


def dockerfile(folder: str, runtime: Runtime, handler: str) -> str:
    """Return the Dockerfile of an image that runs a function.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-image.html

    Args:
        folder: the folder of the function, beside the Dockerfile.
        runtime: that the folder was built for.
        handler: the function, as `package.module.name`.
    """
    return (
        f"FROM --platform={_PLATFORMS[runtime.architecture]} public.ecr.aws/lambda/python:{runtime.python}\n"
        f"COPY {folder}/ ${{LAMBDA_TASK_ROOT}}/\n"
        f'CMD ["{handler}"]\n'
    )


def write_dockerfile(folder: Path, runtime: Runtime, handler: str) -> Path:
    """Write the Dockerfile beside the folder of a function, and return it."""
    file = folder.with_name(f"{folder.name}.Dockerfile")
    file.write_text(dockerfile(folder.name, runtime, handler), encoding="utf-8")
    return file
