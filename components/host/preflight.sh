# What gatehouse needs of a host. Reads only. Every problem is told in one go.
# In: PLATFORM_ID and PLATFORM_VERSION, from the configuration's platform.
problems=''
problem() { problems="$problems  - $1
"; }

[ "$(id -u)" = 0 ] || problem "user $(id -un) is not root: set host.sudo to true, or host.user to root"
[ -d /run/systemd/system ] || problem "systemd is not running this host (process 1 is $(cat /proc/1/comm))"
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || problem "cgroup v2 is missing: boot with systemd.unified_cgroup_hierarchy=1"
# shellcheck source=/dev/null
id=$(. /etc/os-release && echo "$ID") version=$(. /etc/os-release && echo "${VERSION_ID-rolling}")
[ "$id $version" = "$PLATFORM_ID $PLATFORM_VERSION" ] ||
  problem "this is $id $version, but host.platform says $PLATFORM_ID $PLATFORM_VERSION"
python3 -c 'import sys, tomllib' 2>/dev/null || problem "Python 3.11 or newer with its standard library is missing: install the package python3"
free=$(df -Pm /var/lib | awk 'NR == 2 { print $4 }')
[ "$free" -ge 2048 ] || problem "only $free MiB are free under /var/lib; 2048 are needed"

if [ -n "$problems" ]; then
  printf 'gatehouse: this host cannot be used:\n%s' "$problems" >&2
  exit 1
fi
