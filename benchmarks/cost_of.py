"""What one command costs: `python cost_of.py COMMAND ...` prints its processor seconds and its most memory.

A process of its own, and a small one, because Linux counts the memory of whoever starts a command as the command's.
"""

import json
import os
import subprocess
import sys

if __name__ == "__main__":
    process = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr
    said = process.stderr.read().decode("utf-8", "replace")
    _, status, used = os.wait4(process.pid, 0)
    kibibytes = used.ru_maxrss / 1024 if sys.platform == "darwin" else used.ru_maxrss
    found = {
        "cpu": used.ru_utime + used.ru_stime,
        "megabytes": kibibytes / 1024,
        "code": os.waitstatus_to_exitcode(status),
        "said": said[-2000:],
    }
    print(json.dumps(found))
