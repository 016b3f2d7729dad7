"""
What Linux offers to keep a family of processes together.

Elsewhere these do nothing; there only the recorded identities tell what must be cleaned up.
"""

import ctypes
import os
import signal
import sys


PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# Loaded before any fork: a child must not have to look for a library first.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Be sent a signal when the parent dies. Called by a child that was just forked."""
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the line above: nobody would send anything any more.
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every process below whose own parent dies, so that none gets lost."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
