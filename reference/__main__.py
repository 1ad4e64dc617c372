"""The command: `python -m reference`, and `make reference`."""

import argparse

from reference import FOLDER, PAGES


def main() -> None:
    """Write the pages of docs/reference, from the code."""
    argparse.ArgumentParser(prog="python -m reference", description=main.__doc__).parse_args()
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()
