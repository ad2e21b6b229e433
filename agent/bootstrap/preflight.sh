# Checks what gatehouse requires of a host, without changing anything, and reports all problems together.
# Input: from the platform's profile: PLATFORM_ID, PLATFORM_VERSION, PYTHON_PACKAGE and the function podman_offered; from the
# configuration: GROUPS_WANTED, words such as postgres-clients=2001.
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
python3 -c 'import sys, tomllib' 2>/dev/null || problem "Python 3.11 or newer with its standard library is missing: install the package $PYTHON_PACKAGE"
podman=$(podman --version 2>/dev/null) && podman=${podman##* } || podman=$(podman_offered)
case $podman in
[1-4].*) problem "Podman is $podman, whose Quadlets do not support pods: Podman 5 or newer is required" ;;
*) ;; # 5 or newer, or unknown: then the installation reports it
esac
for wanted in $GROUPS_WANTED; do
  name=${wanted%=*} gid=${wanted#*=}
  holder=$(getent group "$gid" | cut -d: -f1) has=$(getent group "$name" | cut -d: -f3)
  if [ -n "$has" ] && [ "$has" != "$gid" ]; then
    problem "group $name has GID $has, not $gid as configured: its files have GID $has, so set that in the configuration"
  elif [ -n "$holder" ] && [ "$holder" != "$name" ]; then
    problem "GID $gid, configured for group $name, belongs to group $holder: choose another, or leave it out"
  fi
done
# Packages, the agent and the configuration are written there.
read_only=''
for folder in /usr /usr/local /etc /var/lib; do
  mount=$(findmnt -nro OPTIONS,TARGET --target "$folder" 2>/dev/null)
  case ",${mount% *}," in *,ro,*) read_only="$read_only $folder" at=${mount#* } ;; *) ;; esac
done
[ -z "$read_only" ] ||
  problem "read-only:$read_only, where packages and files are installed: mount it writable there, such as \`mount -o remount,rw $at\`"
free=$(df -Pm /var/lib | awk 'NR == 2 { print $4 }')
# Only before the first installation: on a full host, an apply must still be able to free space.
[ -x /usr/local/bin/gatehouse ] || [ "$free" -ge 2048 ] || problem "only $free MiB are free under /var/lib; 2048 are required"

if [ -n "$problems" ]; then
  printf 'gatehouse: this host cannot be used:\n%sMore: docs/authentik-deployment-guide.md#pulumi-says-this-host-cannot-be-used\n' "$problems" >&2
  exit 1
fi
