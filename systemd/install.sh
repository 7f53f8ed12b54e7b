#!/bin/sh
# Installs bloop on this machine, or upgrades it, or removes it. Run it as root, as often as you like: what is in place
# already stays as it is.
#
#   install.sh [--from DIR|WHEEL] [--wheelhouse DIR] [--listen [ADDRESS:]PORT] [--origin URL] [--no-backup]
#   install.sh --back
#   install.sh --uninstall [--purge]
#
#   --from        a checkout, or a wheel of bloop; the checkout that this script is in, if it is in one
#   --wheelhouse  take everything from this folder of wheels, nothing from the network
#   --listen      where the public port is, for the first installation: 5332 (everywhere), 127.0.0.1:5332, [::1]:5332
#   --origin      what people type into their browser, for the first installation: https://errors.example.com
#   --no-backup   do not copy the database before an upgrade that leaves it as it is
#   --back        to the version before this one, which is kept; on the same database, see docs/upgrade.md
#   --uninstall   remove the program and its units; settings and data stay, unless --purge
#
# What is where:
#   /opt/bloop/versions/ID   one Python environment per version; /opt/bloop/current is the one in use
#   /etc/bloop               config.toml, secret, environment
#   /var/lib/bloop           the database and its backups
#   /usr/local/bin/bloop     bloop's commands, as its user and on its settings
#   /usr/local/lib/systemd/system/bloop*   the units; your own changes: systemctl edit bloop-writer
#
# An upgrade makes the new environment and asks it whether it can work with settings and database, all while the old
# one runs. Then the processes stop in order, the ring is drained, the database migrated, and the new ones start. The
# port stays open, connections wait. Ingest comes last: whatever fails before that, nothing was taken in that the old
# version does not know, and it is put back, database included.

set -eu
umask 022

PREFIX=/opt/bloop
CONFIG=/etc/bloop
DATA=/var/lib/bloop
UNITS=/usr/local/lib/systemd/system
ADDRESS=/etc/systemd/system/bloop-ingest.socket.d/address.conf
COMMAND=/usr/local/bin/bloop
# In the order they start. One `systemctl start` of several is a job for each, queued one after the other.
BEHIND_INGEST="bloop-writer.service bloop-alerts.service bloop-retention.service bloop-dashboard.service"
START_S=60

# A terminal that hung up is no reason to stop half way.
say() { printf '%s\n' "$*" || true; }
step() { say "==> $*"; }
die() {
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}

main() {
	from='' wheelhouse='' listen='' origin='' backup=yes back='' uninstall='' purge=''
	while [ $# -gt 0 ]; do
		case $1 in
		--from | --wheelhouse | --listen | --origin)
			[ -n "${2-}" ] || die "$1 needs a value"
			case $1 in
			--from) from=$2 ;;
			--wheelhouse) wheelhouse=$(cd "$2" 2>/dev/null && pwd) || die "there is no folder $2" ;;
			--listen) listen=$2 ;;
			--origin) origin=${2%/} ;;
			esac
			shift 2
			;;
		--no-backup) backup='' && shift ;;
		--back) back=yes && shift ;;
		--uninstall) uninstall=yes && shift ;;
		--purge) purge=yes && shift ;;
		-h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;;
		*) die "unknown option $1; see --help" ;;
		esac
	done
	[ "$(id -u)" = 0 ] || die "run it as root"
	[ -d /run/systemd/system ] || die "this machine does not run systemd; see docs/deploy.md for other ways"
	[ -n "$uninstall" ] || [ -z "$purge" ] || die "--purge goes with --uninstall"
	[ -z "$back" ] || [ -z "$from$uninstall" ] || die "--back goes without --from and --uninstall"
	exec 7>/run/bloop-install.lock
	flock -n 7 || die "another install.sh is at work"
	if [ -n "$uninstall" ]; then
		uninstall
	else
		install_or_upgrade
	fi
}

install_or_upgrade() {
	if [ -n "$back" ]; then
		find_previous
	else
		find_source
		find_python
		id=$version-$fingerprint-$($python -c 'import sys; print("py%d%d" % sys.version_info[:2])')
		new=$PREFIX/versions/$id
	fi
	old=$(readlink -f $PREFIX/current 2>/dev/null) || old=''
	[ -x "$old/bin/python" ] || old='' # none, or made for a Python that is gone

	[ -n "$back" ] || make_version
	make_user_and_settings
	ask_new_version
	if [ "$old" = "$new" ]; then
		step "bloop $id is installed already"
		install_units "$new"
	else
		[ -z "$old" ] || back_up
		switch
	fi
	systemctl enable --quiet bloop.target
	systemctl start bloop.target || true
	await_port || fail "bloop does not answer on port $port"
	remove_old_versions
	say_what_is_next
}

# -- what to install, and with what -----------------------------------------------------------------------------------

find_source() {
	here=$(cd "$(dirname "$0")" && pwd)
	if [ -z "$from" ]; then
		[ -f "$here/../pyproject.toml" ] || die "--from DIR|WHEEL is missing"
		from=$here/..
	fi
	if [ -f "$from" ]; then
		case $from in *.whl) ;; *) die "$from is no wheel" ;; esac
		from=$(cd "$(dirname "$from")" && pwd)/$(basename "$from")
		version=$(basename "$from" | cut -d- -f2)
		fingerprint=$(sha256sum <"$from" | cut -c1-12)
	else
		[ -f "$from/systemd/bloop.target" ] || die "$from is no checkout of bloop and no wheel"
		from=$(cd "$from" && pwd)
		version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$from/pyproject.toml" | head -n 1)
		fingerprint=$(cd "$from" && find bloop workers templates systemd requirements/runtime.txt pyproject.toml \
			gunicorn.conf.py -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum |
			sha256sum | cut -c1-12)
	fi
}

find_previous() {
	new=$(readlink -f $PREFIX/previous 2>/dev/null) || new=''
	is_whole "$new" || die "there is no version before this one in $PREFIX/previous"
	id=$(basename "$new")
	version=${id%%-*}
}

# The environment of a version got its stamp last, and its Python is still there.
is_whole() {
	[ -f "$1/.complete" ] && "$1/bin/python" -c 'import bloop, workers' 2>/dev/null
}

find_python() {
	for python in python3 python3.14 python3.13 python3.12 python3.11; do
		if is_good "$python"; then return; fi
	done
	command -v apt-get >/dev/null || die "bloop needs Python 3.11 or later with venv"
	for package in python3 python3.13 python3.12 python3.11; do
		step "Installing $package with venv"
		install_packages "$package" "$package-venv" || continue
		if is_good "$package"; then
			python=$package
			return
		fi
	done
	die "bloop needs Python 3.11 or later, and this distribution's packages have none"
}

is_good() {
	"$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

install_packages() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null 2>&1
}

# One that was interrupted is made again.
make_version() {
	if is_whole "$new"; then return; fi
	step "Making $new"
	rm -rf "$new"
	mkdir -p $PREFIX/versions
	trap 'rm -rf "$new"' EXIT
	"$python" -m venv "$new"
	if [ -f "$from" ]; then
		pip_install --no-deps "$from"
		pip_install --no-deps --require-hashes -r "$new/share/bloop/requirements.txt"
	else
		pip_install --no-deps --require-hashes -r "$from/requirements/runtime.txt"
		pip_install --no-deps --no-build-isolation "$from"
	fi
	misfits=$("$new/bin/python" -m pip --disable-pip-version-check check) || die "the packages do not fit each other: $misfits"
	touch "$new/.complete"
	trap - EXIT
}

pip_install() {
	set -- --disable-pip-version-check --quiet --no-input "$@"
	if [ -n "$wheelhouse" ]; then set -- --no-index --find-links "$wheelhouse" "$@"; fi
	PIP_ROOT_USER_ACTION=ignore "$new/bin/python" -m pip install "$@" || die "pip could not install bloop; nothing that runs was touched"
}

# -- user, settings, units --------------------------------------------------------------------------------------------

make_user_and_settings() {
	install -d $UNITS /usr/local/lib/sysusers.d /usr/local/bin $CONFIG
	put "$new/share/bloop/systemd/sysusers.conf" /usr/local/lib/sysusers.d/bloop.conf
	systemd-sysusers /usr/local/lib/sysusers.d/bloop.conf
	install -d -m 0700 -o bloop -g bloop $DATA
	if [ ! -e $CONFIG/secret ]; then
		step "Making a secret in $CONFIG/secret"
		(umask 077 && od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >$CONFIG/secret.new && mv $CONFIG/secret.new $CONFIG/secret)
	fi
	[ -e $CONFIG/environment ] || install -m 0600 "$new/share/bloop/systemd/environment" $CONFIG/environment
	made_config=''
	if [ ! -e $CONFIG/config.toml ]; then
		step "Making $CONFIG/config.toml"
		make_config
		made_config=yes
	elif [ -n "$listen$origin" ]; then
		say "    --listen and --origin are for the first installation; now edit $CONFIG/config.toml"
	fi
	# A proxy's user may be in bloop's group, for the sockets in /run/bloop. So nothing else is for the group.
	chown bloop:bloop $CONFIG/config.toml
	chmod 0600 $CONFIG/config.toml $CONFIG/secret $CONFIG/environment
}

make_config() {
	listen=${listen:-5332}
	port=${listen##*:} host=${listen%"${listen##*:}"}
	host=${host%:} host=${host#[} host=${host%]}
	case $port in '' | *[!0-9]*) die "--listen takes [ADDRESS:]PORT, not $listen" ;; esac
	origin=${origin:-http://localhost:$port}
	rp_id=${origin#*://} rp_id=${rp_id%%:*}
	sed -e "s|@HOST@|${host:-::}|" -e "s|@PORT@|$port|" -e "s|@ORIGIN@|$origin|" -e "s|@RP_ID@|$rp_id|" \
		"$new/share/bloop/systemd/config.toml" >$CONFIG/config.toml.new
	mv $CONFIG/config.toml.new $CONFIG/config.toml
}

# Whether the settings are right, and whether the new version can work with the database.
ask_new_version() {
	settings=$(bloop_of "$new" config check --json) || {
		if [ -n "$made_config" ]; then rm $CONFIG/config.toml; fi
		die "invalid settings; no running process was touched"
	}
	host=$(pick "$new" '["settings"]["server.host"]' "$settings")
	port=$(pick "$new" '["settings"]["server.port"]' "$settings")
	database=$(pick "$new" '["database_path"]' "$settings")
	socket=$(pick "$new" '["dashboard_path"]' "$settings")
	pending=$(bloop_of "$new" migrate --dry-run 2>&1) || die "$pending; nothing that runs was touched"
	pending=$(printf '%s\n' "$pending" | sed -n 's/^\([0-9]\{4\}\) .*/\1/p' | head -n 1) # the first migration's number
}

# One value out of a JSON document, by some version's Python: pick VERSION '["a"]["b"]' DOCUMENT
pick() {
	printf '%s' "$3" | "$1/bin/python" -c "import json, sys; print(json.load(sys.stdin)$2)"
}

# `bloop` of one version, by the script of the command that is installed for the current one.
bloop_of() {
	of=$1 && shift
	sed "s|$PREFIX/current/|$of/|" "$of/share/bloop/systemd/bloop.sh" | sh -s -- "$@"
}

install_units() {
	units=$1/share/bloop/systemd
	for unit in bloop.target bloop-ingest.socket bloop-ingest.service $BEHIND_INGEST; do
		put "$units/$unit" "$UNITS/$unit"
	done
	rm -rf $UNITS/bloop-*.d
	(cd "$units" && cp -R bloop-*.d $UNITS)
	if [ "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -lt 254 ]; then
		rm $UNITS/bloop-.service.d/20-back-off.conf
	fi
	put "$units/bloop.sh" $COMMAND 0755
	write_address
	systemctl daemon-reload
}

# The port's address stands in config.toml; systemd gets it from there.
write_address() {
	case $host in
	'' | ::) address=$port ;;
	localhost) address=127.0.0.1:$port ;;
	*:*) address=[$host]:$port ;;
	*[!0-9.]*) die "server.host must be an address, not the name $host" ;;
	*) address=$host:$port ;;
	esac
	install -d "$(dirname $ADDRESS)"
	text="# From [server] in $CONFIG/config.toml, by install.sh.
[Socket]
ListenStream=
ListenStream=$address"
	if [ "$(cat $ADDRESS 2>/dev/null)" != "$text" ]; then
		printf '%s\n' "$text" >$ADDRESS
		if systemctl is-active --quiet bloop-ingest.socket; then
			step "Moving the port to $address"
			systemctl daemon-reload
			systemctl stop bloop-ingest.service bloop-ingest.socket
		fi
	fi
}

# A file in its place, whole or not at all.
put() {
	if ! cmp -s "$1" "$2"; then
		install -m "${3:-0644}" "$1" "$2.new"
		mv "$2.new" "$2"
	fi
}

# -- from one version to the next -------------------------------------------------------------------------------------

back_up() {
	if [ -z "$backup" ] || [ ! -e "$database" ]; then return; fi
	if bloop_of "$old" backup --help >/dev/null 2>&1; then
		step "Backing up the database"
		bloop_of "$old" backup || die "the backup failed, nothing was touched; --no-backup goes on without"
	fi
}

switch() {
	trap '' HUP INT TERM # either to the new version or back to the old one
	exec 8>/run/bloop-upgrade.lock
	flock 8 # ingest does not start while it is held
	drain
	install_units "$new"
	point_to "$new"
	if [ -n "$pending" ]; then
		step "Migrating the database"
		bloop_of "$new" migrate || fail "the database could not be migrated"
	fi
	step "Starting bloop $id"
	choose_services
	# shellcheck disable=SC2086
	systemctl start $services || fail "the new version does not start"
	await_dashboard || fail "the new version does not come up"
	exec 8>&-
	trap - HUP INT TERM
}

# Stop everything but the port: the opposite of the order in which it starts.
stop_services() {
	systemctl stop bloop-ingest.service bloop-dashboard.service bloop-alerts.service bloop-retention.service \
		bloop-writer.service 2>/dev/null || true
}

drain() {
	waiting=0
	if [ -z "$old" ]; then
		stop_services
		return
	fi
	step "Stopping the old version, the ring is drained"
	stored=$(systemctl is-active bloop-writer.service || true)
	stop_services
	waiting=$(pending_records "$old" || echo 0) # there may be no ring at all
	if [ "$waiting" != 0 ] && [ "$stored" = active ]; then
		exec 8>&-
		systemctl start bloop.target
		die "$waiting records could not be stored, see: bloop ring stat; the old version runs again, nothing was changed"
	fi
}

# All but ingest and what somebody has masked.
choose_services() {
	services=''
	for service in $BEHIND_INGEST; do
		if [ "$(systemctl show -P LoadState "$service")" != masked ]; then services="$services $service"; fi
	done
}

point_to() {
	ln -sfn "$1" $PREFIX/current.new
	mv -T $PREFIX/current.new $PREFIX/current
}

pending_records() {
	ring=$(bloop_of "$1" ring stat --json 2>/dev/null) && pick "$1" '["pending_records"]' "$ring"
}

fail() {
	journalctl -q -n 30 --no-pager -o cat -u 'bloop-*' >&2 || true
	[ -z "$old" ] || [ "$old" = "$new" ] || roll_back "$1"
	die "$1; above is what bloop said last"
}

# The old version comes back, with the database as it was before the migration: a migration that failed changed nothing,
# then the old version knows it still. Ingest has taken in nothing since; but if records were waiting that the old version
# could not store, they are in the new database only.
roll_back() {
	step "Going back to $(basename "$old")"
	stop_services
	if [ -n "$pending" ] && ! bloop_of "$old" migrate --dry-run >/dev/null 2>&1; then
		[ "$waiting" = 0 ] || die "$1; and the old version cannot be put back without the $waiting records that waited for it"
		for suffix in '' -wal -shm; do
			if [ -e "$database$suffix" ]; then mv "$database$suffix" "$database.failed$suffix"; fi
		done
		cp -p "$database.before-$pending" "$database"
		say "    The database is as it was; what the new version made of it is $database.failed"
	fi
	install_units "$old"
	point_to "$old"
	exec 8>&-
	systemctl start bloop.target || true
	await_port || die "$1; and the old version does not answer either: journalctl -u 'bloop-*'"
	die "$1; the old version runs again. Above is what the new one said"
}

await_dashboard() {
	deadline=$(($(date +%s) + START_S))
	until get "$socket" /health | grep -q '"db_ok": *true'; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		sleep 0.2
	done
	for service in $services; do
		systemctl is-active --quiet "$service" || return 1
	done
}

await_port() {
	deadline=$(($(date +%s) + START_S))
	until get "$host:$port" /health | grep -q '"db_ok": *true' && systemctl is-active --quiet bloop-ingest.service; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		sleep 0.2
	done
}

# What a path answers, at a Unix socket or an address; nothing when nobody does.
get() {
	"$new/bin/python" -P - "$1" "$2" 2>/dev/null <<-'END' || true
		import socket, sys
		target, path = sys.argv[1:]
		if target.startswith("/"):
		    peer = socket.socket(socket.AF_UNIX)
		    peer.settimeout(5)
		    peer.connect(target)
		else:
		    host, _, port = target.rpartition(":")
		    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host)
		    peer = socket.create_connection((host, int(port)), timeout=5)
		peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
		while chunk := peer.recv(65536):
		    print(chunk.decode(errors="replace"), end="")
	END
}

# The version before this one stays: the way back to it is short then.
remove_old_versions() {
	if [ -n "$old" ] && [ "$old" != "$new" ]; then ln -sfn "$old" $PREFIX/previous; fi
	for version_dir in "$PREFIX"/versions/*; do
		case $version_dir in
		"$new" | "$(readlink -f $PREFIX/previous || true)") ;;
		*) rm -rf "$version_dir" ;;
		esac
	done
}

say_what_is_next() {
	step "bloop $version runs"
	say "    bloop's commands:  sudo bloop --help"
	say "    what it says:      journalctl -u 'bloop-*' -f"
	say "    settings:          $CONFIG/config.toml"
	say "    data:              $(dirname "$database")"
	if [ -z "$old" ]; then
		say "    For HTTPS put a proxy in front and set [auth] rp_origin and rp_id: docs/deploy.md"
		say
		bloop_of "$new" welcome
	fi
}

# -- and away -----------------------------------------------------------------------------------------------------------

uninstall() {
	step "Stopping bloop"
	systemctl disable --quiet --now bloop.target 2>/dev/null || true
	systemctl stop bloop-ingest.socket 2>/dev/null || true
	stop_services
	if [ -x $PREFIX/current/bin/python ]; then remove_ring || say "    The ring in /dev/shm is left over"; fi
	step "Removing the program and its units"
	rm -rf $PREFIX $COMMAND $UNITS/bloop.target $UNITS/bloop-*.socket $UNITS/bloop-*.service $UNITS/bloop-*.d \
		/usr/local/lib/sysusers.d/bloop.conf /run/bloop-upgrade.lock
	rm -f $ADDRESS
	rmdir "$(dirname $ADDRESS)" 2>/dev/null || true
	systemctl daemon-reload
	systemctl reset-failed 'bloop*' 2>/dev/null || true
	rm -rf /run/bloop /run/credentials/bloop-*.service
	if [ -n "$purge" ]; then
		step "Removing settings and data"
		rm -rf $CONFIG $DATA
		if getent passwd bloop >/dev/null; then userdel bloop 2>/dev/null || true; fi
	else
		say "    Settings and data stay: $CONFIG, $DATA. With --purge they go too."
	fi
}

# The ring is empty after a clean stop. One with records stays for the next installation, unless everything goes.
remove_ring() {
	if waiting=$(pending_records $PREFIX/current) && [ "$waiting" != 0 ] && [ -z "$purge" ]; then
		say "    $waiting records wait in the ring in /dev/shm; a new installation stores them"
		return
	fi
	settings=$(bloop_of $PREFIX/current config check --json) && pick $PREFIX/current '["ring_name"]' "$settings" |
		$PREFIX/current/bin/python -c 'import sys; from bloop.ring import Segment; Segment.unlink(sys.stdin.read().strip())'
}

main "$@"
