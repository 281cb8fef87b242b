# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# probe.sh PYTHON RELEASE_DIR USER PID_FILE CERTIFICATE [FOLDER...]: what the role has to know of a host before it changes
# anything, as JSON. What is asked here in one go needs no module to look at it, each of which is a connection more.
# PYTHON may be empty: then the distribution's own comes first, because its security updates come by themselves.
wanted=$1 release=$2 user=$3 pid_file=$4 certificate=$5
shift 5

# A service account can't run an interpreter below a folder that is closed to others, such as /root/.pyenv.
usable='import os, sys
path = os.path.realpath(sys.executable)
parents = [path[:i] or "/" for i, c in enumerate(path) if c == "/"]
closed = sys.argv[1] != "root" and os.getuid() == 0 and not all(os.stat(p).st_mode & 1 for p in parents)
print(sys.executable, "%d.%d.%d" % sys.version_info[:3])
sys.exit(closed or sys.version_info < (3, 11))'

python='' version='' ensurepip=false
for candidate in ${wanted:-/usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11}; do
    # A shim can be on PATH and still not run; only running it tells.
    found=$("$candidate" -c "$usable" "$user" 2>/dev/null) || continue
    python=${found% *} version=${found##* }
    "$python" -c 'import ensurepip, venv' 2>/dev/null && ensurepip=true
    break
done

installed=false
[ -x "$release/venv/bin/event-listener" ] && "$release/venv/bin/python" -c 'import event_listener' 2>/dev/null && installed=true

running=false
if pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ]; then
    # A pid survives a reboot in the file only: the process has to be ours too.
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q event-listener && running=true
fi

systemd=false
[ -d /run/systemd/system ] && systemd=true
nginx=false
{ command -v nginx || [ -x /usr/sbin/nginx ]; } >/dev/null 2>&1 && nginx=true
nginx_units=false
[ -e /etc/systemd/system/event-listener-nginx.service ] && nginx_units=true
source_units=false
[ -e /etc/systemd/system/event-listener-source@.service ] && source_units=true
apt=false
command -v apt-get >/dev/null 2>&1 && apt=true
group=$(id -gn "$user" 2>/dev/null || true)
units=false
[ -e /etc/systemd/system/event-listener.target ] && units=true
# The comment tells an account that this role made from one that was there before.
own_account=false
getent passwd "$user" 2>/dev/null | cut -d: -f5 | grep -qx 'Redfish event listener' && own_account=true

# Of the certificate that is served now: an RSA key has this object identifier (rsaEncryption) in front, in DER.
kind='import ssl, sys
end = "-----END CERTIFICATE-----"
der = ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read().partition(end)[0] + end)
print("rsa" if bytes.fromhex("06092a864886f70d010101") in der else "ecdsa")'
key=''
if [ -n "$python" ] && [ -r "$certificate" ]; then key=$("$python" -c "$kind" "$certificate" 2>/dev/null) || key=''; fi

# The firewalls that have something of ours, and those whose rules of ours are loaded: others may have flushed them.
nft=false firewalld=false firewalls='' loaded=''
{ command -v nft || [ -x /usr/sbin/nft ]; } >/dev/null 2>&1 && nft=true
[ "$systemd" = true ] && systemctl --quiet is-active firewalld.service 2>/dev/null && firewalld=true
if [ -e /etc/systemd/system/event-listener-firewall.service ]; then
    firewalls='"nftables"'
    PATH=$PATH:/usr/sbin nft list table inet event_listener >/dev/null 2>&1 && loaded='"nftables"'
fi
if [ -e /etc/firewalld/policies/event-listener.xml ]; then
    firewalls="$firewalls${firewalls:+, }\"firewalld\""
    firewall-cmd --info-policy=event-listener >/dev/null 2>&1 && loaded="$loaded${loaded:+, }\"firewalld\""
fi

second_key=false
for one in "${certificate%.pem}-rsa.pem" "${certificate%.pem}-rsa.key"; do [ -e "$one" ] && second_key=true; done

# Those that are active. The target counts only if it comes with the next boot too.
active=''
if [ "$systemd" = true ]; then
    for unit in $(systemctl list-units --plain --no-legend --state=active 'event-listener*' 2>/dev/null | cut -d' ' -f1); do
        [ "$unit" = event-listener.target ] && ! systemctl --quiet is-enabled "$unit" 2>/dev/null && continue
        active="$active${active:+, }\"$unit\""
    done
fi

# Whose they are and for whom: what `file` would look at in each.
folders=''
for folder; do
    [ -d "$folder" ] && [ ! -L "$folder" ] && folders="$folders${folders:+, }$(stat -c '"%n": "%U %G %a"' "$folder")"
done

libc=glibc
for loader in /lib/ld-musl-*; do [ -e "$loader" ] && libc=musl; done

printf '{"python": "%s", "python_version": "%s", "ensurepip": %s, "installed": %s, "running": %s, ' \
    "$python" "$version" "$ensurepip" "$installed" "$running"
printf '"active": [%s], "folders": {%s}, "second_key": %s, ' "$active" "$folders" "$second_key"
printf '"source_units": %s, "key": "%s", ' "$source_units" "$key"
printf '"nft": %s, "firewalld": %s, "firewalls": [%s], "firewalls_loaded": [%s], ' "$nft" "$firewalld" "$firewalls" "$loaded"
printf '"nginx": %s, "nginx_units": %s, "wheels": "%s %s %s", ' "$nginx" "$nginx_units" "${version%.*}" "$(uname -m)" "$libc"
printf '"systemd": %s, "units": %s, "apt": %s, "user_group": "%s", "own_account": %s, "uid": %s}\n' \
    "$systemd" "$units" "$apt" "$group" "$own_account" "$(id -u)"
