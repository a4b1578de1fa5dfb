import platform
import subprocess
import sys

import pytest

from zslearn import allocator
from zslearn.allocator import keep_freed_memory, return_freed_memory

IS_GLIBC = platform.libc_ver()[0] == "glibc"
KEPT_AND_RETURNED = """
import resource

import numpy as np
from zslearn.allocator import freed_memory_kept


def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6


before = resident()
with freed_memory_kept():
    blocks = [np.ones(2**20) for _ in range(20)]
    del blocks
    kept = resident() - before
print(kept, resident() - before)
"""


def test_glibc_takes_the_setting():
    assert keep_freed_memory() is IS_GLIBC
    assert return_freed_memory() is IS_GLIBC


def test_an_old_glibc_takes_what_it_can(monkeypatch):
    """Before 2.35 it refuses to keep blocks of more than 32 MB; the other threshold does not depend on it."""
    taken = {}

    def mallopt(which, n_bytes):
        if which == -3 and n_bytes > 32 * 2**20:
            return 0
        taken[which] = n_bytes
        return 1

    monkeypatch.setattr(allocator, "_of_libc", lambda name: mallopt)
    assert keep_freed_memory()
    assert taken == {-1: 2**30, -3: 32 * 2**20}


@pytest.mark.skipif(not IS_GLIBC, reason="only glibc keeps and returns memory when told")
def test_freed_memory_is_kept_for_a_while_and_then_returned():
    ended = subprocess.run([sys.executable, "-c", KEPT_AND_RETURNED], capture_output=True, text=True, check=True)
    kept, left = map(float, ended.stdout.split())
    # Twenty blocks of 8 MB.
    assert kept > 150
    assert left < 20


def test_import_leaves_the_allocator_alone():
    code = "import sys, zslearn; sys.exit('zslearn.allocator' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
