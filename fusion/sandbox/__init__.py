"""Runs untrusted Python against tests, in processes of its own.

A run has two processes. One, the judge, has the tests. The other, its child, has the candidate's code and nothing else: it is
asked to call a function, and only plain data (numbers, text, lists, dictionaries, ...) comes back. So code that ends its
process, prints a success, redefines ``==`` or patches the standard library gains nothing: the comparison is made where it cannot
reach, and the verdict carries a token that it never had. Objects of the code's own classes stay with it and are
used from afar. What a call does to its arguments in place is done to the tests' own; an exception that would end a loop of the
tests as if the data had ended (``StopIteration``) arrives as a RuntimeError. Both processes are confined before they see any code:

==========================  ===============================================  ========================================
what                        Linux on x86-64 and ARM64 (``seccomp``)          elsewhere, macOS included (``audit``)
==========================  ===============================================  ========================================
files read, folders listed  Landlock: Python, its packages but this          audit hook (Landlock too, on Linux)
                            project's, system libraries, time zones
other processes             Landlock: their environment, memory, files and   audit hook
                            command line cannot be read; no ptrace
files written or changed    system calls refused, and a file size of 0       audit hook, and a file size of 0
locks, flags, watches       system calls refused                             nothing
network                     no socket can be made                            audit hook
System V, shared memory     system calls refused                             imports refused
processes, programs         refused; threads are allowed                     audit hook; for non-root a limit of 0, too
signals                     only to itself; no capabilities                  audit hook
memory                      limit of address space                           the same on Linux; elsewhere a thread watches
CPU time, wall time         limit of the kernel; killed from outside         the same
output                      thrown away; the process ends after 1 MiB        the same
keys in the environment     the environment is empty                         the same
==========================  ===============================================  ========================================

By kernel: Linux 5.13 and later have Landlock (many distributions switch it on; ``/sys/kernel/security/lsm`` tells). On an older one
graded code can read the files of the user that grades, and other processes of that user; the grading process itself hides,
a warning says so once, and nothing that was read can leave but as up to 300 characters of a reason, from which
values of environment variables that are named like secrets are cut. The filter of system calls holds for root as for everybody, needs no
privilege, and works in containers. The audit hook stands behind it, too, for its readable errors. On its own it stops careless code
and simple attacks; code that is written to break out of Python can get past it, and a warning says so once. What nothing here
stops: learning by ``stat`` that a file exists, bugs of the kernel, and side channels such as timing. The working directory is fresh,
empty, and removed.
"""

from .runner import Limits, Verdict, run_tests

__all__ = ["Limits", "Verdict", "run_tests"]
