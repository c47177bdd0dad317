"""Metrics on the lab's servers: who gets them, by which certificate, and what they say."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import pytest
from storage.live_case import journal, on_server, wait_for
from tests_support import Yiwang

pytestmark = pytest.mark.lab

SITES = ("province", "jinan", "qingdao")
TELLTALES = {
    "backups": "yiwang_backups_wanted 1",
    "etcd": "etcd_server_has_leader 1",
    "objects": "SeaweedFS_build_info{",
    "patroni": "patroni_postgres_running{",
    "postgresql": "pg_up 1",
}
CERTIFICATE = "--cert /etc/yiwang/tls/host.crt --key /etc/yiwang/tls/host.key"


def endpoints(yiwang: Yiwang, *sites: str) -> list[dict[str, str]]:
    shown = yiwang.json("outputs")
    return [endpoint for site in sites for endpoint in shown[site]["metrics"]]


def scrape(yiwang: Yiwang, host: str, urls: list[str], options: str = CERTIFICATE) -> dict[str, tuple[int, list[str]]]:
    """By URL, as ``host`` asks for it: the exit code of curl, and those lines that tell something; with one sign-in for all."""
    names = "|".join(sorted(text.partition(" ")[0].partition("{")[0] for text in TELLTALES.values()))
    script = "".join(
        f"curl -sS --fail --max-time 8 --cacert /etc/yiwang/tls/ca.crt {options} '{url}' > $file 2> /dev/null; echo \"{url} $?\";"
        f" grep -E '^({names})' $file\n"
        for url in urls
    )
    packed = base64.b64encode(f"file=$(mktemp)\n{script}rm $file\n".encode()).decode()
    said = yiwang.ssh(host, f'sudo bash -c "$(echo {packed} | base64 -d)"', check=False).splitlines()
    found: dict[str, tuple[int, list[str]]] = {}
    for line in said:
        if line.startswith("https://"):
            url, code = line.split()
            found[url] = (int(code), [])
        elif found:
            found[url][1].append(line)
    assert list(found) == urls, said
    return found


def test_the_operations_host_gets_all_metrics_of_the_province_and_of_its_cities(lab: Yiwang) -> None:
    listed = endpoints(lab, *SITES)
    assert {(each["host"], each["module"]) for each in listed} == {
        *((host, module) for host in ("p-data", "c-jinan", "c-qingdao") for module in TELLTALES),
        ("p-ops", "objects"),
    }
    # The lab has no name server, and hosts of a province know none of its cities'.
    hosts = lab.hosts()
    known = {f"--resolve {urlsplit(each['url']).netloc}:{hosts[each['host']]['ipv4']}" for each in listed}
    found = scrape(lab, "p-ops", [each["url"] for each in listed], f"{CERTIFICATE} {' '.join(sorted(known))}")
    for each in listed:
        code, lines = found[each["url"]]
        assert code == 0, (each, code, journal_of_metrics(lab, each["host"]))
        assert any(line.startswith(TELLTALES[each["module"]]) for line in lines), (each, lines, journal_of_metrics(lab, each["host"]))


def journal_of_metrics(yiwang: Yiwang, host: str) -> str:
    return yiwang.ssh(host, "sudo journalctl -u yiwang-metrics -u yiwang-metrics-postgresql -o cat -n 40 --no-pager", check=False)


def test_a_service_that_somebody_has_stopped_is_found_and_started(lab: Yiwang) -> None:
    lab.ssh("p-data", "sudo systemctl stop yiwang-metrics")
    found = lab.json("up", "--refresh", "--host", "p-data", "--yes")
    assert found["sites"][0]["counts"] != {}
    assert lab.ssh("p-data", "systemctl is-active yiwang-metrics").strip() == "active"


def test_nobody_gets_them_without_a_certificate_or_from_elsewhere(lab: Yiwang) -> None:
    (url,) = (each["url"] for each in endpoints(lab, "province") if (each["host"], each["module"]) == ("p-data", "postgresql"))
    code, lines = scrape(lab, "p-ops", [url], "")[url]
    assert (code != 0, lines) == (True, []), "answered without a certificate"
    bare = url.replace("https://", "http://")
    said = lab.ssh("p-ops", f"curl -s --max-time 5 '{bare}'", check=False)
    assert "pg_up" not in said, said
    for host in ("p-edge", "p-core"):
        code, lines = scrape(lab, host, [url], f"{CERTIFICATE} --max-time 3")[url]
        assert (code, lines) == (28, []), f"{host} reaches the port"


def test_what_has_no_tls_listens_on_the_host_alone_and_the_packages_start_nothing(lab: Yiwang) -> None:
    listening = lab.ssh("p-data", "sudo ss -Hltn | awk '{ print $4 }'").split()
    for port in (9187, 9327):
        assert [each for each in listening if each.endswith(f":{port}")] == [f"127.0.0.1:{port}"]
    assert [each for each in listening if each.endswith(":9999")] == []
    units = "prometheus-exporter-exporter prometheus-postgres-exporter"
    said = lab.ssh("p-data", f"systemctl is-enabled {units}; systemctl is-active {units}", check=False).split()
    assert said == ["masked", "masked", "inactive", "inactive"]


def test_who_reads_those_of_the_database_does_nothing_else(lab: Yiwang) -> None:
    rights = "rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls, rolpassword is null"
    member = "(select array_agg(m.roleid::regrole::text) from pg_auth_members m where m.member = a.oid)"
    assert on_server(lab, f"select {rights}, {member} from pg_authid a where rolname = 'yiwang_metrics'") == "f|t|{pg_monitor}"  # noqa: S608 - written above
    said = lab.ssh("p-data", "sudo psql -XAt -h /run/postgresql -U yiwang_metrics -d postgres -c 'select 1' 2>&1", check=False)
    assert "Peer authentication failed" in said, said


def test_a_database_that_is_stopped_is_down(lab: Yiwang) -> None:
    urls = {each["module"]: each["url"] for each in endpoints(lab, "province") if each["host"] == "p-data"}
    asked = [urls["postgresql"], urls["etcd"]]
    lab.ssh("p-data", "sudo systemctl stop yiwang-patroni")
    try:
        found = scrape(lab, "p-ops", asked)
        assert found[urls["postgresql"]] == (0, ["pg_up 0"])
        assert found[urls["etcd"]][0] == 0, "the others are shown as before"
    finally:
        lab.ssh("p-data", "sudo systemctl start yiwang-patroni")
    wait_for(lambda: "pg_up 1" in scrape(lab, "p-ops", asked)[urls["postgresql"]][1], 60, lambda: journal(lab))
