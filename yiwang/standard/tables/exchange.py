"""Tables about the exchange of records."""

from __future__ import annotations

from yiwang.standard.labels import Source
from yiwang.standard.tables.base import Table, table


@table("同步操作", "operation of a synchronisation", Source("yiwang", None, "low"))
class Operation(Table):
    """What a record does to its copy. The column is national, its letters are the usual ones of such schemas and not confirmed."""

    INSERT = "I", "新增", "insert"
    UPDATE = "U", "修改", "update"
    DELETE = "D", "删除", "delete"
