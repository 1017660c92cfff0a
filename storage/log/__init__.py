"""The append-only log. As a module it is what the library takes for PERSISTENCE_MODULE."""

from storage.log.factory import LogFactory

__all__ = ["LogFactory"]
