"""Runs untrusted Python against tests, in processes of its own.

A run has two processes. One, the judge, has the tests. The other, its child, has the candidate's code and nothing else: it is
asked to call a function, and only plain data (numbers, text, lists, dictionaries, ...) comes back. So code that ends its
process, prints a success, redefines ``==`` or patches the standard library gains nothing: the comparison is made where it cannot
reach, and the verdict carries a token that it never had. Objects of the code's own classes stay with it and are
used from afar. Both processes are confined before they see any code:

==========================  ===============================================  ========================================
what                        Linux on x86-64 and ARM64 (``seccomp``)          elsewhere, macOS included (``audit``)
==========================  ===============================================  ========================================
files written or changed    system calls refused, and a file size of 0       audit hook, and a file size of 0
network                     no socket can be made                            audit hook
processes, programs         refused; threads are allowed                     audit hook; for non-root a limit of 0, too
signals, other processes    only to itself; no ptrace; no capabilities       audit hook
memory                      limit of address space                           the same on Linux; elsewhere a thread watches
CPU time, wall time         limit of the kernel; killed from outside         the same
output                      thrown away; the process ends after 1 MiB        the same
keys in the environment     the environment is empty                         the same
==========================  ===============================================  ========================================

The filter of system calls holds for root as for everybody, needs no privilege, and works in containers. The audit hook stands behind it,
too, for its readable errors. On its own it stops careless code and simple attacks; code that is written to break out of Python can
get past it, and a warning says so once. What nothing here stops: reading files that the user may read
(so graded code could look for a benchmark's answers on the disk, yet it cannot send them anywhere), bugs of the kernel, and
side channels such as timing. No file can be written at all, in the working directory neither: it is fresh, empty, and
removed.
"""

from .runner import Limits, Verdict, run_tests

__all__ = ["Limits", "Verdict", "run_tests"]
