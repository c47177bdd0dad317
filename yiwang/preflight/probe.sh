# Looks at a host and prints "key=value" lines. Changes nothing. Runs as the account that signed in; uses sudo where it may.
# Arguments: 1 seconds for one download, then the names to resolve.
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
say() { printf '%s=%s\n' "$1" "$2"; }
# The first and the last thing printed: the caller compares both with its own clock.
say clock_begin "$(date +%s.%N)"
limit=$1; shift
say user "$(id -un)"
if [ "$(id -u)" = 0 ]; then root=; say privilege root
elif sudo -n true 2>/dev/null; then root='sudo -n'; say privilege sudo
else root=; say privilege none; fi
. /etc/os-release 2>/dev/null
say os_id "$ID"; say os_version "$VERSION_ID"; say os_name "$PRETTY_NAME"
say architecture "$(uname -m)"
say init "$(cat /proc/1/comm)"
say python "$(python3 -c 'import sys; print(".".join(map(str, sys.version_info[:3])))' 2>/dev/null)"
say disk_free "$(df -Pk / | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')"
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
if command -v apt-get >/dev/null && [ -x /usr/lib/apt/apt-helper ]; then
    say packages apt
    scratch=$(mktemp -d) && trap '$root rm -rf "$scratch"' EXIT
    # One index a server is enough; nothing is installed and no list is replaced. Downloads by root are made by an account
    # of apt's own that must be able to write there.
    chmod 0755 "$scratch"
    apt-get --print-uris update 2>"$scratch/error" | sed -n "s/^'\([^']*\)'.*/\1/p" >"$scratch/all"
    [ -s "$scratch/all" ] || say source_none "$(tail -n 1 "$scratch/error")"
    awk -F/ '!seen[$1 $3]++' "$scratch/all" | head -n 4 | while read -r source; do
        message=$(timeout "$limit" $root /usr/lib/apt/apt-helper -o "Acquire::http::Timeout=$limit" -o "Acquire::https::Timeout=$limit" \
            -o Acquire::Retries=0 -o APT::Sandbox::User=root download-file "$source" "$scratch/file" 2>&1)
        code=$?
        # The server and the outcome; not the address as a whole, which may hold a password.
        server=$(printf '%s' "$source" | awk -F/ '{ sub(/.*@/, "", $3); print $3 }')
        if [ $code = 0 ]; then say "source $server" ok
        elif [ $code = 124 ]; then say "source $server" "timeout"
        else say "source $server" "$(printf '%s' "$message" | grep '^E:' | head -n 1 | sed 's|//[^/@ ]*@|//|g')"; fi
        $root rm -f "$scratch/file"
    done
else say packages none; fi
say clock_end "$(date +%s.%N)"
