"""Which licences may come with an artifact. A licence that is not listed stops the audit until it is read."""

import re

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

ALLOWED = {
    "Apache-2.0": "permissive, with a grant of patents; this project's own",
    "BSD-2-Clause": "permissive",
    "BSD-3-Clause": "permissive",
    "CC0-1.0": "no condition",
    "ISC": "permissive",
    "MIT": "permissive",
    "MIT-0": "permissive, without attribution",
    "MPL-2.0": "its own files stay under it; we change none",
    "PSF-2.0": "permissive",
    "Python-2.0": "permissive",
}
"""SPDX identifier → why it is allowed. Of `A OR B` both are to be allowed: nobody has to choose."""

READ = {
    "amazon-kclpy": "Apache-2.0",
    "python-dateutil": "Apache-2.0 AND BSD-3-Clause",
    "rich-click": "MIT",
    "uvloop": "Apache-2.0 OR MIT",
}
"""Package → licence, read in its file LICENSE where the metadata has a text, an ambiguous name or nothing.

amazon-kclpy is not installed here: the file was read in kclpy-ext, which is the same with the Java libraries
in the wheel.
"""

CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Classifiers that mean one licence. "BSD License" is not one of them: there are several."""


def canonical(said: str | None) -> str | None:
    """Return a licence's expression in its canonical form; None if it is no expression of SPDX."""
    try:
        return canonicalize_license_expression(said or "")
    except InvalidLicenseExpression:
        return None


def refused(expression: str | None) -> list[str]:
    """Return what a licence names that is not allowed."""
    if expression is None:
        return ["no licence that can be read"]
    return [each for each in named(expression) if each not in ALLOWED]


def named(expression: str) -> list[str]:
    """Return all that an expression names. An exception (`WITH`) is one more thing to be allowed."""
    return [each for each in re.findall(r"[^\s()]+", expression) if each not in {"AND", "OR"}]
