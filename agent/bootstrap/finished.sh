# Waits until cloud-init has finished, at most WAIT seconds: until then it may install packages, add accounts and mount disks.
if command -v cloud-init >/dev/null; then
  # cloud-init prints dots. Its own exit status is about errors in what it did; the checks below report what is missing.
  timeout "$WAIT" cloud-init status --wait </dev/null >/dev/null 2>&1
  if [ $? = 124 ]; then
    printf 'gatehouse: cloud-init has not finished after %s seconds: raise host.wait, or see what it does: cloud-init status --long\n' "$WAIT" >&2
    exit 1
  fi
fi
