"""The door: command line, configuration and wiring. The only place that knows everybody."""

__version__ = "0.1.0"
