"""The files of the host that releases describe."""
