# Looks at a host and prints "key=value" lines. Changes nothing. Runs as the account that signed in; uses sudo where it may.
# Arguments: the names to resolve. Variables set before it: seconds (for one download), places (paths whose room is measured),
# stores (directories of data), environments (of each extra, its name and the file that is there when it has been delivered), apt_sources, apt_conf, authorities (PEM) of the inventory.
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
say() { printf '%s=%s\n' "$1" "$2"; }
# The first and the last thing printed: the caller compares both with its own clock.
say clock_begin "$(date +%s.%N)"
say user "$(id -un)"
# As the host sees it: behind address translation or a bastion this is not an address of the caller's own.
say client "${SSH_CONNECTION%% *}"
if [ "$(id -u)" = 0 ]; then root=; say privilege root
elif sudo -n true 2>/dev/null; then root='sudo -n'; say privilege sudo
else root=; say privilege none; fi
. /etc/os-release 2>/dev/null
say os_id "$ID"; say os_version "$VERSION_ID"; say os_name "$PRETTY_NAME"
say architecture "$(uname -m)"
say init "$(cat /proc/1/comm)"
say python "$(python3 -c 'import sys; print(".".join(map(str, sys.version_info[:3])))' 2>/dev/null)"
say libc "$(python3 -c 'import platform; print(platform.libc_ver()[1])' 2>/dev/null)"
for each in $environments; do [ ! -e "${each#*=}" ] || say "environment ${each%%=*}" there; done
for place in $places; do
    there=$place
    while [ ! -e "$there" ]; do there=$(dirname "$there"); done
    # Free bytes, then the file system's mount point.
    say "room $place" "$(df -Pk "$there" | awk 'NR == 2 { printf "%.0f", $4 * 1024; for (i = 6; i <= NF; i++) printf " %s", $i }')"
done
for place in $stores; do
    there=$place
    while ! $root test -e "$there"; do there=$(dirname "$there"); done
    # Bytes in all, free bytes, then the file system's mount point.
    say "file_system $place" "$($root df -Pk "$there" | awk 'NR == 2 { printf "%.0f %.0f", $2 * 1024, $4 * 1024; for (i = 6; i <= NF; i++) printf " %s", $i }')"
    # What lies there; nothing is said where not all of it can be seen, or not within the time.
    if [ "$there" != "$place" ]; then say "stored $place" 0
    elif [ -n "$root" ] || [ "$(id -u)" = 0 ]; then
        say "stored $place" "$($root timeout "$seconds" du -skx "$place" 2>/dev/null | awk '{ printf "%.0f", $1 * 1024 }')"
    fi
done
say memory_total "$(awk '/^MemTotal:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)"
say memory_free "$(awk '/^MemAvailable:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)"
for name in "$@"; do
    say "resolve $name" "$(getent ahosts "$name" | awk '{ print $1; exit }')"
done
# Each listening socket: protocol, port, programs (only root sees those of others).
if command -v ss >/dev/null; then
    $root ss -Hltnup | awk '{
        port = $5; sub(/.*:/, "", port); programs = ""; rest = $0
        while (match(rest, /\("[^"]+"/)) { programs = programs (programs ? "," : "") substr(rest, RSTART + 2, RLENGTH - 3); rest = substr(rest, RSTART + RLENGTH) }
        print "listen " $1 " " port "=" programs }' | sort -u
else say listen_unknown ss; fi

# Downloads one index. What it is called, its address, a scratch file, then options of apt.
try_source() {
    called=$1; source=$2; file=$3; shift 3
    message=$(timeout "$seconds" $root /usr/lib/apt/apt-helper "$@" download-file "$source" "$file" 2>&1)
    code=$?
    # The server and the outcome; not the address as a whole, which may hold a password.
    server=$(printf '%s' "$source" | awk -F/ '{ sub(/.*@/, "", $3); print /:\/\// ? $3 : "file" }')
    if [ $code = 0 ]; then say "$called $server" ok
    elif [ $code = 124 ]; then say "$called $server" "timeout"
    else say "$called $server" "$(printf '%s' "$message" | grep '^E:' | head -n 1 | sed 's|//[^/@ ]*@|//|g')"; fi
}
# Tries the sources that apt has with some options, all at once. One index a server is enough; nothing is installed and no
# list is replaced. What they are called, then the options.
try_sources() {
    called=$1; shift
    apt-get "$@" --print-uris update 2>"$scratch/error" | sed -n "s/^'\([^']*\)'.*/\1/p" >"$scratch/all"
    [ -s "$scratch/all" ] || say "${called}_none" "$(tail -n 1 "$scratch/error")"
    awk -F/ '!seen[$1 $3]++' "$scratch/all" | head -n 8 >"$scratch/some"
    number=0
    while read -r source; do
        number=$((number + 1))
        try_source "$called" "$source" "$scratch/$called.$number" "$@" &
    done <"$scratch/some"
    wait
}
if command -v apt-get >/dev/null && [ -x /usr/lib/apt/apt-helper ]; then
    say packages apt
    scratch=$(mktemp -d) && trap '$root rm -rf "$scratch"' EXIT
    # Downloads by root are made by an account of apt's own that must be able to write there.
    chmod 0755 "$scratch"
    mkdir "$scratch/sources"
    printf '%s\n' "$apt_conf" >"$scratch/conf"
    set -- -c "$scratch/conf" -o "Acquire::http::Timeout=$seconds" -o "Acquire::https::Timeout=$seconds" -o Acquire::Retries=0 \
        -o APT::Sandbox::User=root
    if [ -n "$authorities" ]; then
        { cat /etc/ssl/certs/ca-certificates.crt 2>/dev/null; printf '%s\n' "$authorities"; } >"$scratch/authorities"
        set -- "$@" -o "Acquire::https::CAInfo=$scratch/authorities"
    fi
    if [ -n "$apt_sources" ]; then
        printf '%s\n' "$apt_sources" >"$scratch/sources/yiwang.sources"
        try_sources given "$@" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$scratch/sources"
    fi
    try_sources own "$@"
else say packages none; fi
say clock_end "$(date +%s.%N)"
