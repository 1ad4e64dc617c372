"""Write the reference pages."""

from reference import FOLDER, PAGES

for name, page in PAGES.items():
    (FOLDER / name).write_text(page())
