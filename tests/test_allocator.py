import platform
import subprocess
import sys

from zslearn.allocator import keep_freed_memory


def test_glibc_takes_the_setting():
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")


def test_import_leaves_the_allocator_alone():
    code = "import sys, zslearn; sys.exit('zslearn.allocator' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
