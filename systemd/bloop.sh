#!/bin/sh
# The command `bloop` of an installation by systemd/install.sh: as bloop's user, on bloop's settings.
set -eu

if [ "$(id -u)" != 0 ]; then
	echo "bloop: the data belong to the user bloop; run: sudo bloop $*" >&2
	exit 1
fi

export HOME=/var/lib/bloop BLOOP_CONFIG=/etc/bloop/config.toml
BLOOP__AUTH__HMAC_SECRET=$(cat /etc/bloop/secret)
export BLOOP__AUTH__HMAC_SECRET

# The same lines that systemd gives to the processes (EnvironmentFile=): NAME=value, perhaps in quotes.
if [ -e /etc/bloop/environment ]; then
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in BLOOP*=*) ;; *) continue ;; esac
		value=${line#*=}
		case $value in
		\"*\") value=${value#\"} value=${value%\"} ;;
		\'*\') value=${value#\'} value=${value%\'} ;;
		esac
		export "${line%%=*}=$value"
	done </etc/bloop/environment
fi

umask 077
exec setpriv --reuid=bloop --regid=bloop --init-groups --no-new-privs -- /opt/bloop/current/bin/bloop "$@"
