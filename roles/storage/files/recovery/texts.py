"""What the program says to people, in Chinese and in English: in the language of whoever asked, which ``yiwang`` passes on.

What other programs say (pgBackRest, PostgreSQL, the system) is in their words, in the middle of these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

# Of whoever does not say: timers, whose words go to the journal.
DEFAULT = "en"
LANGUAGES = ("zh", "en")
TEXTS: dict[str, dict[str, str]] = {
    # Whose turn it is.
    "follows": {"zh": "主库在另一成员上", "en": "another member leads"},
    "waiting": {"zh": "本机另一项备份或恢复尚未结束，等待中", "en": "waiting for another backup or restore on this host"},
    "busy": {
        "zh": "本机另一项备份或恢复已运行一小时",
        "en": "another backup or restore has been running on this host for an hour",
    },
    # What another program says.
    "command_said": {"zh": "{name} 失败：{said}", "en": "{name}: {said}"},
    "command_ended": {"zh": "{name} 失败：退出码 {code}", "en": "{name}: exit {code}"},
    # The place of the backups.
    "place": {"zh": "备份存储：{said}", "en": "the place of the backups: {said}"},
    "place_made": {"zh": "已建立备份存储", "en": "the place of the backups is made"},
    "place_renewed": {"zh": "备份存储已可供新的数据库集群使用", "en": "the place of the backups is ready for a new cluster"},
    "log_sent": {"zh": "正在送出最近几秒的归档日志", "en": "the log of the last seconds is sent"},
    # Databases.
    "backup_full": {"zh": "数据库：全量备份", "en": "databases: a backup (full)"},
    "backup_incremental": {"zh": "数据库：增量备份", "en": "databases: a backup (incr)"},
    "no_room": {
        "zh": "{directory} 仅剩 {free} MiB，需要 {needed} MiB：请先腾出空间",
        "en": "{directory} has {free} MiB free, and {needed} are needed: make room in it first",
    },
    "restoring": {"zh": "正在恢复数据库", "en": "restoring the databases"},
    "no_start": {"zh": "恢复的数据库无法启动：{reason}", "en": "the restored databases do not start: {reason}"},
    "no_start_unsaid": {"zh": "恢复的数据库无法启动，未给出原因", "en": "the restored databases do not start: no reason is told"},
    # Objects.
    "bucket": {"zh": "对象：存储桶 {bucket}", "en": "objects: {bucket}"},
    "too_long": {
        "zh": "存储桶 {bucket}：{left} 个对象的名称长于文件名上限，未放在旁边，如 {name}",
        "en": "{bucket}: the names of {left} objects are too long for files, they are not put beside the live ones: {name} among them",
    },
    "objects_lost": {
        "zh": "存储桶 {bucket}：{chosen} 个对象中有 {lost} 个未能恢复，如 {name}",
        "en": "{bucket}: {lost} of {chosen} objects did not come back, {name} among them",
    },
    "objects_never": {"zh": "还没有备份过对象", "en": "the objects were never backed up"},
    "objects_old": {"zh": "最近一次对象备份在 {time}，已太久", "en": "the last backup of the objects was made at {time}, too long ago"},
    "objects_missing": {
        "zh": "存储桶 {bucket}：早于最近一次备份的 {old} 个对象中有 {lost} 个不在备份中，如 {name}",
        "en": "{bucket}: {lost} of {old} objects that are older than the last backup are not in it, {name} among them",
    },
    "objects_differ": {
        "zh": "存储桶 {bucket}：{lost} 个对象与备份不同，而备份之后并未改过，如 {name}",
        "en": "{bucket}: {lost} objects differ from their backup and were not changed since, {name} among them",
    },
    # The drill.
    "marking": {"zh": "正在写入演练标记，共 {seconds:.0f} 秒", "en": "writing marks for {seconds:.0f} s"},
    "nothing_sent": {"zh": "{seconds:.0f} 秒内没有送出归档日志", "en": "nothing of the log was sent in {seconds:.0f} s"},
    "no_mark": {"zh": "演练前写入的标记均未恢复", "en": "none of the marks that were written before came back"},
    "marks_lost": {"zh": "归档日志已送出的演练标记未能恢复", "en": "marks did not come back whose log had been sent"},
    "checking": {"zh": "正在核对恢复的数据", "en": "checking what came back"},
    "database_lost": {"zh": "数据库 {database} 未能恢复", "en": "the database {database} did not come back"},
    "table_lost": {"zh": "数据库 {database} 的表 {table} 未能恢复", "en": "the table {table} of {database} did not come back"},
    "rows_lost": {
        "zh": "数据库 {database} 的表 {table} 恢复后为 {found} 行，演练前 {before} 行，现有 {after} 行",
        "en": "the table {table} of {database} came back with {found} rows, it had {before} and has {after}",
    },
    "fetching": {"zh": "正在取回备份的对象", "en": "fetching objects"},
    "record_unkept": {
        "zh": "演练记录未能存入存储桶 {bucket}：{reason}",
        "en": "the record of the drill was not put into the bucket {bucket}: {reason}",
    },
    "no_identity": {"zh": "没有可写入存储桶 {bucket} 的身份", "en": "there is no identity that may write into the bucket {bucket}"},
    # In place.
    "catalogue_kept": {"zh": "正在保存对象存储的目录", "en": "the object store's catalogue is kept"},
    "catalogue_back": {"zh": "正在放回对象存储的目录", "en": "the object store's catalogue is put back"},
    "halting": {"zh": "正在停止服务", "en": "the services end"},
    "no_end": {"zh": "PostgreSQL 未能停止", "en": "PostgreSQL does not end"},
    "putting_back": {"zh": "正在把原数据库放回原处", "en": "the databases of before are put back"},
    "no_leader": {"zh": "恢复的数据库没有主库", "en": "the restored databases have no leader"},
    "copying": {"zh": "从库正在复制主库：已有 {size} MiB", "en": "this member copies the leader: {size} MiB so far"},
    "no_follower": {"zh": "本机从库未跟随恢复后的主库", "en": "this member does not follow the restored leader"},
    # Where to go back to.
    "no_target": {
        "zh": "{to}：应为时刻（2026-01-31T08:30:00+08:00）、备份名，或 {latest}",
        "en": "{to}: expected a time (2026-01-31T08:30:00+08:00), a backup, or {latest}",
    },
    "no_zone": {"zh": "{to}：时刻应带时区，如 {to}+08:00", "en": "{to}: expected a time with its zone, such as {to}+08:00"},
    "no_backups": {
        "zh": "还没有数据库的备份：请先执行 yiwang backup",
        "en": "there is no backup of the databases yet: take one with `yiwang backup`",
    },
    "no_backup": {
        "zh": "没有备份 {label}；yiwang backup list 列出已有的备份",
        "en": "there is no backup {label}; `yiwang backup list` shows those there are",
    },
    "to_come": {"zh": "{to}：该时刻尚未到来", "en": "{to}: this time is yet to come"},
    "too_early": {"zh": "{to}：最早的备份在此之后，于 {ended} 完成", "en": "{to}: the oldest backup ended later, at {ended}"},
    "two_clusters": {
        "zh": (
            "{to}：备份属于两个集群，新集群的第一份备份在 {began}；请写明时刻或备份名："
            "原集群最后一份是 {former}（{ended}），新集群最后一份是 {newest}"
        ),
        "en": (
            "{to}: there are backups of two clusters, of the newer one since {began}; name a time or a backup: the last one of the former"
            " cluster is {former} ({ended}), the last one of the newer {newest}"
        ),
    },
    "no_way": {
        "zh": "{to}：没有备份的时间线通向该时刻；yiwang backup list 列出已有的备份",
        "en": "{to}: no backup leads to what was written then; `yiwang backup list` shows those there are",
    },
}

_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """All texts are in this language meanwhile."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def text(key: str, /, **fields: object) -> str:
    """The text of ``key`` in the language in use."""
    return TEXTS[key][_language.get()].format(**fields)
