# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# probe.sh SOURCE COMMENT: what the role has to know of a host before it changes anything, as JSON.
PATH=$PATH:/usr/sbin:/sbin
programs=''
for program in keepalived curl; do
    command -v "$program" >/dev/null 2>&1 && programs="$programs${programs:+, }\"$program\""
done
apt=false systemd=false root=false own_account=false unit=false
command -v apt-get >/dev/null 2>&1 && apt=true
[ -d /run/systemd/system ] && systemd=true
[ "$(id -u)" = 0 ] && root=true
[ -e /etc/systemd/system/event-listener-address.service ] && unit=true
getent passwd keepalived_script 2>/dev/null | cut -d: -f5 | grep -qx "$2" && own_account=true
account=false
getent passwd keepalived_script >/dev/null 2>&1 && account=true
interface=$(ip -o address show to "$1" 2>/dev/null | while read -r _number name _rest; do echo "${name%%@*}"; break; done)
printf '{"programs": [%s], "apt": %s, "systemd": %s, "root": %s, "unit": %s, "account": %s, "own_account": %s, "interface": "%s"}\n' \
    "$programs" "$apt" "$systemd" "$root" "$unit" "$account" "$own_account" "$interface"
