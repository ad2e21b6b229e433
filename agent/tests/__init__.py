"""The agent's tests. They find its package, and a place for its state, before any of them imports it."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

AGENT = Path(__file__).resolve().parents[1] / "src"
ROOM = Path(tempfile.mkdtemp(prefix="gatehouse-test-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
STATE = ROOM / "state"

os.environ["GATEHOUSE_STATE"] = str(STATE)
sys.path.insert(0, str(AGENT))
# What the tests and the processes that they start compile is kept, beside the sources. Processes of the standard library
# alone do without the packages of this machine.
sys.pycache_prefix, sys.dont_write_bytecode = str(AGENT.parents[1] / ".state/compiled"), False
PLAIN = ("-I", "-S", "-X", f"pycache_prefix={sys.pycache_prefix}")
atexit.register(shutil.rmtree, ROOM, ignore_errors=True)
