#!/usr/bin/python3
"""Says what will go wrong soon: prints a JSON list of alarms, each with a text in Chinese (``zh``) and English (``en``); changes nothing.

One with ``note`` is none, but something that one likes to know.

`yiwang status` asks it. Its wishes are in /etc/yiwang/storage/health.json: ``directory`` of the data, ``free_percent`` that have to
be free there, ``wal_times`` of max_wal_size that the log may have, ``members`` of the site (0: no databases here), ``objects``, the name
at which the object store answers here, ``backups``: ``yes``, ``no`` (an alarm), or ``unwanted``, ``objects_minutes`` between two copies of
the objects, ``units`` that are started by the clock.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
  'unsent', (select last_failed_wal from pg_stat_archiver where last_failed_time > coalesce(last_archived_time, '-infinity')),
  'records', (select convert_from(decode((xpath('/row/r/text()', query_to_xml($$
    select encode(convert_to(json_object_agg(name, record)::text, 'UTF8'), 'base64') as r
    from (select distinct on (name) name, record from yiwang.record order by name, time desc) newest
    $$, false, true, '')))[1]::text, 'base64'), 'UTF8')::json where to_regclass('yiwang.record') is not null))
"""
AUTHORITY = "/etc/yiwang/tls/ca.crt"
SETTINGS = Path("/etc/yiwang/storage/recovery.json")
RECORDS = Path("/var/lib/yiwang/recovery")
BACKUP_HOURS = 26
DRILL_DAYS = 8
# A copy of the objects is late after some intervals, and after an hour at least.
OBJECTS_INTERVALS, OBJECTS_MINUTES = 4, 60
# Everything is asked at once, and answers in so many seconds: whoever asks this program waits for ten.
SECONDS = 7

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
        connection = http.client.HTTPSConnection(host, 8333, context=context, timeout=SECONDS)
        connection.request("GET", "/")
        status = str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        status = str(error)
    if status != "403":
        yield unanswered(status)


def unanswered(why: str) -> Alarm:
    """The object store does not answer."""
    return alarm(f"对象存储没有应答（{why}）", f"the object store does not answer ({why})")


def record(name: str, seen: dict[str, Any]) -> dict[str, Any]:
    """The newest of what the program of the backups has written down, here or in the databases; nothing where it has not."""
    found = [dict((seen.get("records") or {}).get(name) or {})]
    with contextlib.suppress(OSError, ValueError):
        found.append(dict(json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))))
    return max(found, key=lambda each: str(each.get("time", "")))


def backup_times() -> list[str]:
    """When each backup ended, the oldest first, by the backups themselves. Raises OSError where they cannot be asked."""
    command = ["runuser", "-u", "postgres", "--", "/usr/local/sbin/yiwang-pgbackrest", "info", "--output=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True, cwd="/")
    except subprocess.SubprocessError as error:
        raise OSError(str(error)) from None
    try:
        sites = list(json.loads(done.stdout))
    except ValueError:
        raise OSError(done.stdout[:200] or "no answer") from None
    for status in (site["status"] for site in sites):
        # 1 to 3: nothing is there yet. Anything else: it cannot be read.
        if status["code"] not in {0, 1, 2, 3}:
            raise OSError(status["message"])
    found = [each["timestamp"]["stop"] for site in sites for each in site.get("backup", ())]
    return [datetime.fromtimestamp(each, UTC).isoformat() for each in sorted(found)]


def hours_since(text: str) -> float:
    """Hours since a time."""
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds() / 3600


def taken(times: list[str]) -> Iterator[Alarm]:
    """The newest backup of the databases is not old."""
    late = hours_since(times[-1] if times else wanted_since()) > BACKUP_HOURS
    if not times:
        yield alarm(
            "还没有备份：查看 yiwang-backup.service 的日志",
            "there is no backup yet: see the journal of yiwang-backup.service",
            note=not late,
        )
    elif late:
        yield alarm(
            f"最近一次备份在 {times[-1]}，已超过 {BACKUP_HOURS} 小时：查看 yiwang-backup.service 的日志",
            f"the last backup was made at {times[-1]}, more than {BACKUP_HOURS} hours ago: see the journal of yiwang-backup.service",
        )


def wanted_since() -> str:
    """Since when the host knows where its backups go."""
    return datetime.fromtimestamp(SETTINGS.stat().st_mtime, UTC).isoformat()


def copied(wish: dict[str, Any], times: list[str], found: dict[str, Any]) -> Iterator[Alarm]:
    """The objects are copied too, lately, and none were lost."""
    most = max(OBJECTS_MINUTES, OBJECTS_INTERVALS * wish["objects_minutes"])
    since = found.get("time") or (times[0] if times else None)
    if since and hours_since(since) * 60 > most:
        zh, en = (f"最近一次对象备份在 {since}", f"the last backup of the objects was made at {since}, more than {most} minutes ago")
        if not found:
            zh, en = (f"{since} 起已有数据库备份，而对象从未备份", f"the databases are backed up since {since}, and the objects never were")
        yield alarm(
            f"{zh}，已超过 {most} 分钟：查看 yiwang-backup-objects.service 的日志",
            f"{en}: see the journal of yiwang-backup-objects.service",
        )
    if found.get("lost"):
        names = ", ".join(found["lost"])
        yield alarm(
            f"存储桶 {names} 中的对象大多不见了：备份中仍保留，可用 yiwang restore 取回",
            f"most objects of {names} are gone: the backups still have them, `yiwang restore` brings them back",
        )


def drilled(times: list[str], drill: dict[str, Any]) -> Iterator[Alarm]:
    """The newest drill was good, not long ago, and nobody can change its record."""
    if not drill:
        late = bool(times) and hours_since(times[0]) > DRILL_DAYS * 24
        zh, en = (f"，已有备份超过 {DRILL_DAYS} 天", f", {DRILL_DAYS} days after there was a backup") if late else ("", "")
        yield alarm(f"还没有做过恢复演练{zh}", f"no restore has been drilled yet{en}", note=not late)
        return
    if not drill["ok"]:
        yield alarm(f"{drill['time']} 的恢复演练失败：{drill['error']}", f"the drill of {drill['time']} failed: {drill['error']}")
    else:
        figures = f"RPO {drill['rpo_seconds']} s, RTO {drill['rto_seconds']} s"
        late = hours_since(drill["time"]) > DRILL_DAYS * 24
        zh, en = (f"，已超过 {DRILL_DAYS} 天", f", more than {DRILL_DAYS} days ago") if late else ("", "")
        yield alarm(f"最近一次恢复演练：{drill['time']}{zh}，{figures}", f"the last drill: {drill['time']}{en}, {figures}", note=not late)
    if not drill.get("kept", True):
        yield alarm(
            f"{drill['time']} 的演练记录未能存入 evidence：{drill['unkept']}",
            f"the record of the drill of {drill['time']} was not put into evidence: {drill['unkept']}",
        )


def backups(wish: dict[str, Any], seen: dict[str, Any], ask: Callable[[], list[str]]) -> Iterator[Alarm]:
    """What is backed up, and whether it can be brought back. Of several members the leader says it."""
    if wish["backups"] == "no":
        yield alarm(
            "没有备份：清单中没有 backup 组的主机（确实不需要时设 storage_without_backups）",
            "nothing is backed up: the inventory has no host in the group backup (storage_without_backups, where that is meant)",
        )
    if wish["backups"] != "yes" or seen.get("replica", True):
        return
    if seen["unsent"]:
        yield alarm(f"日志 {seen['unsent']} 未能送到备份存储", f"the log {seen['unsent']} cannot be sent to where the backups are")
    times: list[str] = []
    try:
        times = ask()
        yield from taken(times)
    except OSError as error:
        yield alarm(f"备份存储没有应答：{error}", f"the place of the backups does not answer: {error}")
    yield from copied(wish, times, record("objects", seen))
    yield from drilled(times, record("drill", seen))


def restoring(directory: str) -> Iterator[Alarm]:
    """A restore has stopped services here, and was not brought to its end."""
    with contextlib.suppress(OSError):
        to = (Path(directory) / "restore" / "quiet").read_text(encoding="utf-8").strip()
        yield alarm(
            f"恢复到 {to} 的操作尚未结束：如已中断，请再次执行同一条 yiwang restore",
            f"a restore to {to} has not come to its end: where it was cut short, run the same `yiwang restore` again",
        )


def failed(names: list[str]) -> Iterator[Alarm]:
    """What the clock started ended in a failure."""
    command = ["/usr/bin/systemctl", "is-failed", *names]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout.split() if names else []
    except (OSError, subprocess.SubprocessError):
        return
    for name, state in zip(names, said, strict=False):
        if state == "failed":
            yield alarm(f"{name} 运行失败：查看它的日志", f"{name} failed: see its journal")


def query() -> dict[str, Any]:
    """What the running PostgreSQL says; nothing where none answers."""
    command = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", "postgres", "-c", QUERY]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/").stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(json.loads(said)) if said.startswith("{") else {}


def alarms(wish: dict[str, Any]) -> Iterator[Alarm]:
    """All of them. What may keep one waiting is asked side by side, within one time."""
    yield from restoring(wish["directory"])
    yield from disk(wish["directory"], wish["free_percent"])
    pool = ThreadPoolExecutor()
    store, units = pool.submit(lambda: list(objects(wish["objects"]))), pool.submit(lambda: list(failed(wish["units"])))
    saying = pool.submit(query) if wish["members"] else None
    times = pool.submit(backup_times) if wish["backups"] == "yes" else None
    try:
        yield from store.result(timeout=SECONDS)
    except TimeoutError:
        yield unanswered(f"{SECONDS} s")
    yield from units.result()
    if saying is None:
        return
    seen = saying.result()
    yield from backups(wish, seen, times.result if times else list)
    if not seen:
        yield alarm("数据库没有应答", "the database does not answer")
        return
    yield from log(seen, wish["wal_times"])
    yield from followers(seen, wish["members"])


if __name__ == "__main__":
    print(json.dumps(list(alarms(json.loads(WISH.read_text(encoding="utf-8")))), ensure_ascii=False), flush=True)
    # Whoever has not answered by now is not waited for.
    os._exit(0)
