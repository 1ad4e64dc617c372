"""A profile of Hypothesis with more examples, as a plugin of pytest: for machines without atheris."""

from hypothesis import settings

settings.register_profile("fuzz", max_examples=500, print_blob=True)
