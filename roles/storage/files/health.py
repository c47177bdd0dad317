#!/usr/bin/python3
"""Says what will go wrong soon: prints a JSON list of alarms, each with a text in Chinese (``zh``) and English (``en``); changes nothing.

One with ``note`` is none, but something that one likes to know.

`yiwang status` asks it. Its wishes are in /etc/yiwang/storage/health.json: ``directory`` of the data, ``free_percent`` that have to
be free there, ``wal_times`` of max_wal_size that the log may have, ``members`` of the site (0: no databases here), ``objects``, the name
at which the object store answers here, ``backups``: ``yes``, ``no`` (an alarm), or ``unwanted``.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WISH = Path("/etc/yiwang/storage/health.json")
QUERY = """
select json_build_object('replica', pg_is_in_recovery(), 'wal', (select coalesce(sum(size), 0) from pg_ls_waldir()),
  'most', pg_size_bytes(current_setting('max_wal_size')), 'receiver', (select status from pg_stat_wal_receiver),
  'synchronous', (select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum')),
  'following', (select count(*) from pg_stat_replication where state = 'streaming'),
  'kept_for', (select string_agg(slot_name, ', ' order by slot_name) from pg_replication_slots
               where not active and restart_lsn is not null),
  'unsent', (select last_failed_wal from pg_stat_archiver where last_failed_time > coalesce(last_archived_time, '-infinity')))
"""
AUTHORITY = "/etc/yiwang/tls/ca.crt"
SETTINGS = Path("/etc/yiwang/storage/recovery.json")
RECORDS = Path("/var/lib/yiwang/recovery")
BACKUP_HOURS = 26
DRILL_DAYS = 8

Alarm = dict[str, Any]


def alarm(zh: str, en: str, *, note: bool = False) -> Alarm:
    """One thing to see to, or to know."""
    return {"zh": zh, "en": en} | ({"note": True} if note else {})


def disk(directory: str, free_percent: int) -> Iterator[Alarm]:
    """The file system of the data is nearly full."""
    found = os.statvfs(directory)
    free = 100 * found.f_bavail // max(found.f_blocks, 1)
    if free < free_percent:
        rest = found.f_bavail * found.f_frsize >> 20
        yield alarm(
            f"{directory} 所在文件系统仅剩 {free}%（{rest} MiB），应不少于 {free_percent}%：请扩容或清理",
            f"{free} % of the file system of {directory} is free ({rest} MiB), at least {free_percent} % should be: make it larger, "
            "or room in it",
        )


def log(seen: dict[str, Any], wal_times: int) -> Iterator[Alarm]:
    """The log for recovery grows: something keeps it."""
    if seen["wal"] > wal_times * seen["most"]:
        size, most, why = seen["wal"] >> 20, seen["most"] >> 20, seen["kept_for"]
        yield alarm(
            f"WAL 已达 {size} MiB（max_wal_size 为 {most} MiB）" + (f"，因不再活动的复制槽 {why} 而保留" if why else ""),
            f"the WAL has {size} MiB, max_wal_size is {most} MiB" + (f"; it is kept for {why}, which does not come for it" if why else ""),
        )


def followers(seen: dict[str, Any], members: int) -> Iterator[Alarm]:
    """A leader without those that should follow it, or a follower that does not."""
    if seen["replica"]:
        if seen["receiver"] != "streaming":
            yield alarm("本机未从主库接收数据", "this member does not receive from the leader")
        return
    if members > 1 and not seen["synchronous"]:
        yield alarm(
            "没有同步副本：主机故障会丢失已确认的写入", "no member follows at once: acknowledged writes would be lost with this host"
        )
    elif seen["following"] < members - 1:
        missing = members - 1 - seen["following"]
        yield alarm(f"{missing} 个成员未跟随主库", f"{missing} of the members do not follow the leader")


def objects(host: str) -> Iterator[Alarm]:
    """The object store answers, by TLS: that it lets nobody in without a key is an answer."""
    try:
        context = ssl.create_default_context(cafile=AUTHORITY)
        connection = http.client.HTTPSConnection(host, 8333, context=context, timeout=5)
        connection.request("GET", "/")
        status = str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        status = str(error)
    if status != "403":
        yield alarm(f"对象存储没有应答（{status}）", f"the object store does not answer ({status})")


def record(name: str) -> dict[str, Any]:
    """What the program of the backups has written down; nothing where it has not."""
    try:
        return dict(json.loads((RECORDS / name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def newest_backup() -> str | None:
    """When the newest backup ended, by the backups themselves; nothing where there is none. Raises OSError where they cannot be asked."""
    command = ["runuser", "-u", "postgres", "--", "/usr/local/sbin/yiwang-pgbackrest", "info", "--output=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=8, check=True, cwd="/")
    except subprocess.SubprocessError as error:
        raise OSError(str(error)) from None
    found = [each["timestamp"]["stop"] for site in json.loads(done.stdout) for each in site.get("backup", ())]
    return datetime.fromtimestamp(max(found), UTC).isoformat() if found else None


def hours_since(text: str) -> float:
    """Hours since a time."""
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds() / 3600


def taken() -> Iterator[Alarm]:
    """The newest backups are not old."""
    try:
        newest = newest_backup()
    except OSError as error:
        yield alarm(f"备份存储没有应答：{error}", f"the place of the backups does not answer: {error}")
        return
    since = newest or datetime.fromtimestamp(SETTINGS.stat().st_mtime, UTC).isoformat()
    late = hours_since(since) > BACKUP_HOURS
    if newest is None:
        yield alarm(
            "还没有备份：查看 yiwang-backup.service 的日志",
            "there is no backup yet: see the journal of yiwang-backup.service",
            note=not late,
        )
    elif late:
        yield alarm(
            f"最近一次备份在 {newest}，已超过 {BACKUP_HOURS} 小时：查看 yiwang-backup.service 的日志",
            f"the last backup was made at {newest}, more than {BACKUP_HOURS} hours ago: see the journal of yiwang-backup.service",
        )
    lost = record("objects.json").get("lost")
    if lost:
        names = ", ".join(lost)
        yield alarm(
            f"存储桶 {names} 中的对象大多不见了：备份中仍保留，可用 yiwang restore 取回",
            f"most objects of {names} are gone: the backups still have them, `yiwang restore` brings them back",
        )


def backups(kind: str, seen: dict[str, Any]) -> Iterator[Alarm]:
    """What is backed up, and whether it can be brought back. Of several members the leader says it."""
    if kind == "no":
        yield alarm(
            "没有备份：清单中没有 backup 组的主机（确实不需要时设 storage_without_backups）",
            "nothing is backed up: the inventory has no host in the group backup (storage_without_backups, where that is meant)",
        )
    if kind != "yes" or seen.get("replica", True):
        return
    if seen["unsent"]:
        yield alarm(f"日志 {seen['unsent']} 未能送到备份存储", f"the log {seen['unsent']} cannot be sent to where the backups are")
    yield from taken()
    drill = record("drill.json")
    if not drill:
        yield alarm("还没有做过恢复演练", "no restore has been drilled yet", note=True)
    elif not drill["ok"]:
        yield alarm(f"{drill['time']} 的恢复演练失败：{drill['error']}", f"the drill of {drill['time']} failed: {drill['error']}")
    else:
        figures = f"RPO {drill['rpo_seconds']} s, RTO {drill['rto_seconds']} s"
        late = hours_since(drill["time"]) > DRILL_DAYS * 24
        zh, en = (f"，已超过 {DRILL_DAYS} 天", f", more than {DRILL_DAYS} days ago") if late else ("", "")
        yield alarm(f"最近一次恢复演练：{drill['time']}{zh}，{figures}", f"the last drill: {drill['time']}{en}, {figures}", note=not late)


def query() -> dict[str, Any]:
    """What the running PostgreSQL says; nothing where none answers."""
    command = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", "postgres", "-c", QUERY]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=8, check=False, cwd="/").stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(json.loads(said)) if said.startswith("{") else {}


def alarms(wish: dict[str, Any], seen: dict[str, Any]) -> Iterator[Alarm]:
    """All of them."""
    yield from disk(wish["directory"], wish["free_percent"])
    yield from objects(wish["objects"])
    if not wish["members"]:
        return
    yield from backups(wish["backups"], seen)
    if not seen:
        yield alarm("数据库没有应答", "the database does not answer")
        return
    yield from log(seen, wish["wal_times"])
    yield from followers(seen, wish["members"])


if __name__ == "__main__":
    print(json.dumps(list(alarms(json.loads(WISH.read_text(encoding="utf-8")), query())), ensure_ascii=False))
