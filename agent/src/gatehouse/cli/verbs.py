"""The verbs. It imports nothing, since it is read twice by each call that changes something."""

LOOKING = {"backups", "status", "verify", "history", "diff", "facts"}
CHANGING = {
    "group",
    "account",
    "packages",
    "release",
    "remove",
    "recover",
    "rollback",
    "backup",
    "drill",
    "restore",
    "forget",
}
