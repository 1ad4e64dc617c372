"""A project of the user's own: how it is begun, described and built. No record ever comes here."""
