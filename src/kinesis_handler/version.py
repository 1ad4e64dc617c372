"""The version of the package, where no installed metadata has to be read for it."""

__version__ = "0.1.0"
