"""一网 (yiwang): stands up and runs a province's one-network government service platform."""

__version__ = "0.1.0"
