"""The agent's tests. This module sets the path of the agent and its state directory before any test imports the
agent."""

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
# Bytecode of the tests and their subprocesses is cached in .state, not beside the sources. Subprocesses that need only
# the standard library run without this machine's packages.
sys.pycache_prefix, sys.dont_write_bytecode = str(AGENT.parents[1] / ".state/compiled"), False
PLAIN = ("-I", "-S", "-X", f"pycache_prefix={sys.pycache_prefix}")
atexit.register(shutil.rmtree, ROOM, ignore_errors=True)
