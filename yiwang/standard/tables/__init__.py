"""The small code tables: bodies, items, cases, information resources, exchange. ``TABLES`` holds all of them by class name."""

from yiwang.standard.tables import bodies, cases, exchange, items, resources
from yiwang.standard.tables.base import TABLES, Table

__all__ = ["TABLES", "Table", "bodies", "cases", "exchange", "items", "resources"]
