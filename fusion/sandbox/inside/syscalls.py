"""Numbers of the Linux system calls that confined code may not make, from the kernel's ``unistd.h`` files."""

from __future__ import annotations

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine to its column in the tables below and its AUDIT_ARCH number, by which a filter recognises it."""

KNOWN_END = 450
"""Calls from this number on are newer than the tables and are answered with ENOSYS, as an older kernel would."""

_NETWORK = """
    socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242, sendto 44 206,
    sendmsg 46 211, sendmmsg 307 269, io_uring_setup 425 425"""
_PROCESSES = """
    fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, setsid 112 157, setpgid 109 154, unshare 272 97,
    setns 308 268, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440,
    kcmp 312 272, tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, pidfd_open 434 434,
    pidfd_send_signal 424 424, pidfd_getfd 438 438, setpriority 141 140, sched_setaffinity 203 122,
    sched_setscheduler 144 119, sched_setparam 142 118, sched_setattr 314 274, ioprio_set 251 30"""
_FILES = """
    creat 85 -, openat2 437 437, open_by_handle_at 304 265, mkdir 83 -, mkdirat 258 34, mknod 133 -, mknodat 259 33,
    rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37,
    symlink 88 -, symlinkat 266 36, chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, lchown 94 -, fchown 93 55,
    fchownat 260 54, truncate 76 45, utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88, setxattr 188 5,
    lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16,
    flock 73 32, inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, fanotify_init 300 262"""
_SHARED_MEMORY = """
    memfd_create 319 279, memfd_secret 447 447, shmget 29 194, shmat 30 196, shmctl 31 195, shmdt 67 197,
    msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, semget 64 190, semop 65 193, semctl 66 191,
    semtimedop 220 192, mq_open 240 180, mq_unlink 241 181"""
_SYSTEM = """
    mount 165 40, umount2 166 39, move_mount 429 429, open_tree 428 428, fsopen 430 430, fsconfig 431 431,
    fsmount 432 432, fspick 433 433, mount_setattr 442 442, pivot_root 155 41, chroot 161 51, bpf 321 280,
    perf_event_open 298 241, userfaultfd 323 282, add_key 248 217, request_key 249 218, keyctl 250 219,
    init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104, kexec_file_load 320 294,
    reboot 169 142, swapon 167 224, swapoff 168 225, sethostname 170 161, setdomainname 171 162, settimeofday 164 170,
    clock_settime 227 112, adjtimex 159 171, clock_adjtime 305 266, acct 163 89, quotactl 179 60, quotactl_fd 443 443,
    syslog 103 116, iopl 172 -, ioperm 173 -"""
_BY_ARGUMENT = """
    open 2 -, openat 257 56, clone 56 220, clone3 435 435, kill 62 129, tgkill 234 131, prlimit64 302 261,
    prctl 157 167, fcntl 72 25, ioctl 16 29"""


def _column(table: str, column: int) -> dict[str, int]:
    rows = [row.split() for row in table.split(",")]
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}


def denied(column: int) -> list[int]:
    """Return the numbers of the calls that are denied whatever their arguments."""
    tables = (_NETWORK, _PROCESSES, _FILES, _SHARED_MEMORY, _SYSTEM)
    return [number for table in tables for number in _column(table, column).values()]


def by_argument(column: int) -> dict[str, int]:
    """Return the calls that are denied for some arguments only, by name."""
    return _column(_BY_ARGUMENT, column)
