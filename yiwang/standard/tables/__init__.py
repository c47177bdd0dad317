"""The small code tables: bodies, items, cases, information resources. ``TABLES`` holds all of them by class name."""

from yiwang.standard.tables import bodies, cases, items, resources
from yiwang.standard.tables.base import TABLES, Table

__all__ = ["TABLES", "Table", "bodies", "cases", "items", "resources"]
