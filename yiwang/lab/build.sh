#!/bin/sh
# Builds one layer over others: build.sh LOWER UPPER WORK ROOT STAGE STEP [PACKAGE...]
# Runs in a mount and process namespace of its own (yiwang/lab/layers.py); all mounts and processes end with it.
set -eu
lower=$1 upper=$2 work=$3 root=$4 stage=$5 step=$6
shift 6
export DEBIAN_FRONTEND=noninteractive

mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"

sources() { # the machine's package sources and certificates
  rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
  cp -r "$stage/public/." "$root/"
  chroot "$root" update-ca-certificates
}

packages() { # what every host holds; nothing may start while apt works
  # What may hold credentials is there while apt needs it and gone from the layer afterwards.
  (cd "$stage/private" && find . -type f) >"$stage/private.list"
  cp -r "$stage/private/." "$root/"
  cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # Nor may a package make data of its own on all hosts, which each would copy.
  mkdir -p "$root/etc/postgresql-common"
  printf 'create_main_cluster = false\n' >"$root/etc/postgresql-common/createcluster.conf"
  chroot "$root" apt-get -q -o APT::Update::Error-Mode=any update
  chroot "$root" apt-get -q -y --no-install-recommends install "$@"
  chroot "$root" apt-get clean
  while read -r file; do rm -f "$root/$file"; done <"$stage/private.list"
  rm -rf "$root"/usr/sbin/policy-rc.d "$root"/etc/resolv.conf "$root"/var/lib/apt/lists/*
  # Every host makes its own.
  rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname"
  : >"$root/etc/machine-id"
  # A container has no hardware, no consoles and one fixed network; what would only fail there stays quiet, and so does what
  # runs only where a host is told to.
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer console-getty.service getty@tty1.service systemd-networkd.service systemd-networkd.socket \
    systemd-networkd-wait-online.service systemd-timesyncd.service systemd-journald-audit.socket \
    systemd-udevd.service systemd-udev-trigger.service etcd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  # Whoever connects may sign in: SSH answers only when logins are open.
  mkdir -p "$root/etc/systemd/system/ssh.service.d" "$root/etc/systemd/journald.conf.d"
  printf '[Unit]\nAfter=systemd-user-sessions.service\n' >"$root/etc/systemd/system/ssh.service.d/ready.conf"
  printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' >"$root/etc/systemd/journald.conf.d/volatile.conf"
}

"$step" "$@"
