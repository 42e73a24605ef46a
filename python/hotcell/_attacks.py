"""Attempts at what a guarded process must not be able to do, as native code in it would make them.

Each is the system call in question, with arguments that would work if nothing stood in the way. It says that it succeeded only
where it got something: bytes, a descriptor, a process, a changed right. What it got it gives back.

Some calls would harm the machine if they worked. They are made with arguments that the operating system's kernel refuses only
after it has looked at the caller's rights: for them every error counts as success but ``EPERM``, ``EACCES`` and ``ENOSYS``.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import errno
import fcntl
import functools
import glob
import os
import select
import signal
import stat
import struct
import sys
import sysconfig
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Item = TypeVar("_Item")

#: The channel to the supervisor.
CHANNEL = 3
#: What a program ends with that was executed in this process's place, where no child could be made for it.
EXECUTED = 200


class Scene(NamedTuple):
    """What an intruder knows about the outside."""

    #: The supervisor's process number; 0 where nothing is to be tried on it.
    supervisor: int
    #: A file of the supervisor's user, outside of all that is granted. It is there, and not empty.
    secret: str
    #: The name of an abstract socket on which the supervisor listens; empty if there is none.
    abstract: str
    #: The TCP port on 127.0.0.1 on which it listens; 0 if there is none.
    port: int
    #: Other processes of the same user.
    others: list[int]
    #: Random text that the supervisor has in its memory, or in that of another call; empty if there is none.
    token: str


class Result(NamedTuple):
    """How an attempt ended."""

    #: Whether it got what it must not get.
    succeeded: bool
    #: The error's name, or what it got.
    detail: str


class Attack(NamedTuple):
    """An attempt at one thing."""

    #: Its name, which no other one has.
    name: str
    #: ``files``, ``network``, ``processes``, ``memory``, ``privileges``, ``kernel`` or ``channel``.
    group: str
    #: What succeeds if it does.
    what: str
    #: Makes it. It may raise :class:`OSError` where it is refused.
    attempt: Callable[[Scene], Result]


class Call(enum.IntEnum):
    """System calls of x86-64 by their numbers."""

    OPEN = 2
    CLOSE = 3
    MMAP = 9
    MPROTECT = 10
    MUNMAP = 11
    IOCTL = 16
    SHMAT = 30
    SHMCTL = 31
    SOCKET = 41
    CONNECT = 42
    SENDTO = 44
    RECVFROM = 45
    BIND = 49
    LISTEN = 50
    GETSOCKOPT = 55
    FORK = 57
    VFORK = 58
    EXECVE = 59
    KILL = 62
    SEMCTL = 66
    SHMDT = 67
    MSGCTL = 71
    RENAME = 82
    LINK = 86
    SYMLINK = 88
    CHMOD = 90
    PTRACE = 101
    GETUID = 102
    SYSLOG = 103
    GETGID = 104
    SETUID = 105
    SETGID = 106
    SETGROUPS = 116
    CAPSET = 126
    RT_SIGQUEUEINFO = 129
    MKNOD = 133
    PERSONALITY = 135
    GETPRIORITY = 140
    SETPRIORITY = 141
    SCHED_SETSCHEDULER = 144
    MODIFY_LDT = 154
    PIVOT_ROOT = 155
    PRCTL = 157
    ADJTIMEX = 159
    SETRLIMIT = 160
    CHROOT = 161
    ACCT = 163
    SETTIMEOFDAY = 164
    MOUNT = 165
    UMOUNT2 = 166
    SWAPON = 167
    SWAPOFF = 168
    REBOOT = 169
    SETHOSTNAME = 170
    IOPL = 172
    IOPERM = 173
    INIT_MODULE = 175
    DELETE_MODULE = 176
    QUOTACTL = 179
    TKILL = 200
    SCHED_SETAFFINITY = 203
    SCHED_GETAFFINITY = 204
    CLOCK_SETTIME = 227
    TGKILL = 234
    MQ_OPEN = 240
    KEXEC_LOAD = 246
    ADD_KEY = 248
    REQUEST_KEY = 249
    KEYCTL = 250
    INOTIFY_ADD_WATCH = 254
    OPENAT = 257
    NEWFSTATAT = 262
    UNSHARE = 272
    GET_ROBUST_LIST = 274
    MOVE_PAGES = 279
    INOTIFY_INIT1 = 294
    RT_TGSIGQUEUEINFO = 297
    PERF_EVENT_OPEN = 298
    FANOTIFY_INIT = 300
    PRLIMIT64 = 302
    NAME_TO_HANDLE_AT = 303
    OPEN_BY_HANDLE_AT = 304
    CLOCK_ADJTIME = 305
    SETNS = 308
    PROCESS_VM_READV = 310
    PROCESS_VM_WRITEV = 311
    KCMP = 312
    FINIT_MODULE = 313
    SECCOMP = 317
    MEMFD_CREATE = 319
    KEXEC_FILE_LOAD = 320
    BPF = 321
    EXECVEAT = 322
    USERFAULTFD = 323
    PIDFD_SEND_SIGNAL = 424
    IO_URING_SETUP = 425
    OPEN_TREE = 428
    MOVE_MOUNT = 429
    FSOPEN = 430
    FSCONFIG = 431
    FSMOUNT = 432
    FSPICK = 433
    PIDFD_OPEN = 434
    CLONE3 = 435
    OPENAT2 = 437
    PIDFD_GETFD = 438
    PROCESS_MADVISE = 440
    MOUNT_SETATTR = 442
    LANDLOCK_CREATE_RULESET = 444
    LANDLOCK_ADD_RULE = 445
    LANDLOCK_RESTRICT_SELF = 446


#: Of the calls of 32-bit programs, those that are tried.
_I386_OPEN, _I386_SOCKET = 5, 359
#: What marks a call's number as one of the x32 programs.
_X32 = 0x4000_0000

_HERE = -100
_EMPTY_PATH = 0x1000
_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_CLOEXEC = os.O_CLOEXEC
_NAMESPACES = {
    "user": 0x1000_0000,
    "mnt": 0x0002_0000,
    "net": 0x4000_0000,
    "ipc": 0x0800_0000,
    "uts": 0x0400_0000,
    "pid": 0x2000_0000,
    "cgroup": 0x0200_0000,
    "time": 0x0000_0080,
}
_CLONE_VM, _CLONE_FS, _CLONE_VFORK = 0x100, 0x200, 0x4000
_PROT_READ, _PROT_WRITE, _PROT_EXEC = 1, 2, 4
_MAP_SHARED, _MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_32BIT = 1, 2, 0x10, 0x20, 0x40
_PAGE = 4096
_INET, _INET6, _UNIX, _NETLINK, _PACKET, _ALG, _VSOCK = 2, 10, 1, 16, 17, 38, 40
_STREAM, _DGRAM, _RAW, _SEQPACKET = 1, 2, 3, 5
_NONBLOCK = os.O_NONBLOCK | _CLOEXEC
#: Errors that say that the caller lacks the right, or that there is no such call for it.
_REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)
#: An address at which hardly any process has something.
_NOWHERE = 0x1_0000
#: The most bytes and seconds that the memory of another process is searched.
_MOST_SEARCHED, _LONGEST_SEARCH = 512 << 20, 5.0

# It keeps the interpreter's lock during calls, none of which waits: a child that a call leaves behind needs it.
_LIBC = ctypes.PyDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_LIBC.syscall.argtypes = [ctypes.c_long] * 7
_LIBC.clone.restype = ctypes.c_int
_LIBC.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]

_counter = iter(range(1 << 62))


def _call(number: int, *arguments: Any) -> int:
    """Make a system call; the error's number, negated, where there is one.

    Arguments are numbers, texts, bytes, or ctypes' arrays, of which the call takes the address.
    """
    kept = [os.fsencode(argument) if isinstance(argument, str) else argument for argument in arguments]
    words = [*map(_word, kept), *[0] * (6 - len(kept))]
    result: int = _LIBC.syscall(int(number), *words)
    return -ctypes.get_errno() if result == -1 else result


def _word(argument: Any) -> int:
    if isinstance(argument, int):
        return argument
    if isinstance(argument, bytes):
        return ctypes.cast(ctypes.c_char_p(argument), ctypes.c_void_p).value or 0
    return ctypes.addressof(argument)


def _buffer(content: bytes | int) -> ctypes.Array[ctypes.c_char]:
    """Memory that a call may write to, of that content or size."""
    return (
        ctypes.create_string_buffer(content) if isinstance(content, int) else ctypes.create_string_buffer(content, len(content))
    )


def _name(number: int) -> str:
    return errno.errorcode.get(number, f"error {number}")


def _refused(why: int | str) -> Result:
    """A refusal: by a call's result, or in words."""
    return Result(False, why if isinstance(why, str) else _name(-why))


def _of(result: int, got: str = "done") -> Result:
    """What a call's result says, where anything but an error is success."""
    return Result(True, got) if result >= 0 else _refused(result)


def _of_late(result: int) -> Result:
    """What the result of a call says that is refused late: every error is success but those that are about rights."""
    if result >= 0 or -result not in _REFUSALS:
        return Result(True, "got through" if result >= 0 else f"got through: {_name(-result)}")
    return _refused(result)


def _of_descriptor(result: int, got: str = "a descriptor") -> Result:
    """What the result of a call says that makes a descriptor, which is closed."""
    if result >= 0:
        _call(Call.CLOSE, result)
    return _of(result, got)


def _any(results: Iterable[Result]) -> Result:
    """The first success, or all that stood in the way."""
    reasons: dict[str, None] = {}
    for result in results:
        if result.succeeded:
            return result
        reasons[result.detail] = None
    return _refused(", ".join(reasons) or "nothing to try it on")


def _attempted(work: Callable[[], Result]) -> Result:
    """What comes of it, where an error of the operating system is a refusal."""
    try:
        return work()
    except OSError as error:
        return _refused(-(error.errno or 0))


def _first(items: Iterable[_Item], work: Callable[[_Item], Result]) -> Result:
    """The first success with one of those, or all that stood in the way."""
    return _any(_attempted(functools.partial(work, item)) for item in items)


def _in_thread(work: Callable[[], Result]) -> Result:
    """What it comes to in a thread of its own, with which what it changed about the thread ends."""
    results: list[Result] = []

    thread = threading.Thread(target=lambda: results.append(_attempted(work)), daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return work()
    thread.join(10)
    return results[0] if results else _refused("no answer")


def _reap(child: int, seconds: float = 5) -> int | None:
    """Wait for a child, and end it if it does not end; its exit code, negated the signal that ended it."""
    every_kind, until = 0x4000_0000, time.monotonic() + seconds
    try:
        while True:
            ended, status = os.waitpid(child, os.WNOHANG | every_kind)
            if ended:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.002)
    except OSError:
        return None


def _in_child(work: Callable[[], int], success: int = 0) -> Result:
    """What a call comes to in a child process; where none can be made, in this one.

    The child ends with the call's error, and with 0 if there is none; where it is a program that is executed, with `success`.
    """
    child = _call(Call.FORK)
    if child == 0:
        code = 255
        with contextlib.suppress(BaseException):
            code = max(-work(), 0)
        os._exit(code)
    if child < 0:
        return _of(work())
    ended = _reap(child)
    if ended == success:
        return Result(True, "done by a child process")
    return _refused(-ended if ended and 0 < ended < 255 else f"the child ended with {ended}")


def _of_child(child: int) -> Result:
    """What the result of a call says that makes a process; the process ends."""
    if child == 0:
        os._exit(0)
    if child > 0:
        _reap(child)
    return _of(child, f"process {child}")


# Files


def _open(path: str, flags: int) -> int:
    # Nothing waits for the other end of a pipe.
    return _call(Call.OPENAT, _HERE, path, flags | _NONBLOCK | os.O_NOCTTY, 0o600)


def _of_reading(descriptor: int) -> Result:
    """What of a file can be read, whose descriptor that is; it is closed."""
    if descriptor < 0:
        return _refused(descriptor)
    try:
        content = os.read(descriptor, 4096)
        return Result(bool(content), f"{len(content)} bytes" if content else "nothing in it")
    finally:
        _call(Call.CLOSE, descriptor)


def _read(path: str) -> Result:
    return _of_reading(_open(path, os.O_RDONLY))


def _read_any(paths: Iterable[str]) -> Result:
    def read(path: str) -> Result:
        result = _read(path)
        return Result(True, f"{path}: {result.detail}") if result.succeeded else result

    return _first(paths, read)


def _list(path: str) -> Result:
    directory = _open(path, os.O_RDONLY | os.O_DIRECTORY)
    if directory < 0:
        return _refused(directory)
    try:
        names = os.listdir(directory)
        return Result(bool(names), f"{path}: {len(names)} names" if names else "nothing in it")
    finally:
        _call(Call.CLOSE, directory)


def _list_outside(scene: Scene) -> Result:
    folders = [os.path.dirname(scene.secret), "/root", "/home", "/var/log"]
    return _first((folder for folder in folders if not folder.startswith("/tmp")), _list)


def _read_home(scene: Scene) -> Result:
    homes = {os.path.expanduser("~"), "/root", os.path.dirname(scene.secret), *glob.glob("/home/*")}
    names = [".bashrc", ".profile", ".bash_history", ".netrc", ".gitconfig", ".ssh/known_hosts", ".ssh/id_rsa", ".ssh/id_ed25519"]
    return _read_any(f"{home}/{name}" for home in sorted(homes) if not home.startswith("/tmp") for name in names)


def _openat2(path: str) -> int:
    how = _buffer(struct.pack("=QQQ", os.O_RDONLY | _CLOEXEC, 0, 0))
    return _call(Call.OPENAT2, _HERE, path, how, 24)


def _own_path() -> str:
    """A path in the folder for temporary files at which nothing is."""
    return f"/tmp/hotcell-attack-{os.getpid()}-{next(_counter)}"


def _own_file(content: bytes = b"x", mode: int = 0o600) -> str:
    path = _own_path()
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _CLOEXEC, mode)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    return path


@contextlib.contextmanager
def _own_folder() -> Iterator[str]:
    path = _own_path()
    os.mkdir(path, 0o700)
    try:
        yield path
    finally:
        os.rmdir(path)


def _read_by_symbolic_link(scene: Scene) -> Result:
    path = _own_path()
    made = _call(Call.SYMLINK, scene.secret, path)
    if made < 0:
        return _refused(made)
    try:
        return _read(path)
    finally:
        os.unlink(path)


def _read_by_hard_link(scene: Scene) -> Result:
    path = _own_path()
    made = _call(Call.LINK, scene.secret, path)
    if made < 0:
        return _refused(made)
    try:
        return Result(True, "a link to it")
    finally:
        os.unlink(path)


def _read_under(roots: Iterable[str], secret: str) -> Result:
    return _read_any(root + secret for root in roots)


def _status(path: str) -> Result:
    status = _buffer(144)
    result = _call(Call.NEWFSTATAT, _HERE, path, status, 0)
    return _of(result, f"{struct.unpack_from('=q', status, 48)[0]} bytes long")


def _handle_of(path: str) -> tuple[int, ctypes.Array[ctypes.c_char]]:
    handle = _buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    return _call(Call.NAME_TO_HANDLE_AT, _HERE, path, handle, _buffer(8), 0), handle


def _open_by_handle(scene: Scene) -> Result:
    named, handle = _handle_of(scene.secret)
    if named < 0:
        # That of the root directory in most file systems.
        handle = _buffer(struct.pack("=IiII", 8, 1, 2, 0) + bytes(112))

    def opened(mount: str) -> Result:
        directory = _open(mount, os.O_RDONLY | os.O_DIRECTORY)
        if directory < 0:
            return _refused(directory)
        try:
            return _of_descriptor(_call(Call.OPEN_BY_HANDLE_AT, directory, handle, os.O_RDONLY | _CLOEXEC))
        finally:
            _call(Call.CLOSE, directory)

    return _any(opened(mount) for mount in ("/tmp", "/usr", "/"))


def _outside(scene: Scene) -> list[str]:
    """Directories outside of what a guarded process may write to."""
    own = [
        sysconfig.get_path("purelib"),
        os.path.dirname(os.__file__),
        os.path.dirname(os.path.realpath(sys.executable or "/usr/bin/x")),
    ]
    shared = ["/", "/usr", "/usr/lib", "/etc", "/var/tmp", "/dev/shm", "/run", "/home", "/root", "/proc/self", "/dev"]
    # A folder of the secret's name that is the process's own is another one.
    mine = os.path.realpath(tempfile.gettempdir())
    return [folder for folder in (os.path.dirname(scene.secret), *own, *shared) if os.path.realpath(folder) != mine]


def _create(folders: Iterable[str]) -> Result:
    def created(folder: str) -> Result:
        path = f"{folder.rstrip('/')}/hotcell-attack-{os.getpid()}-{next(_counter)}"
        result = _open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        if result >= 0:
            os.unlink(path)
        return _of_descriptor(result, f"a file in {folder}")

    return _any(created(folder) for folder in folders)


def _move_out(number: Call, scene: Scene) -> Result:
    """Make a name outside, for a file in the folder for temporary files, by a call that takes both paths."""
    source = _own_file()

    def moved(folder: str) -> Result:
        target = f"{folder.rstrip('/')}/hotcell-attack-{os.getpid()}-{next(_counter)}"
        result = _call(number, source, target)
        if result >= 0:
            os.unlink(target)
        return _of(result, f"in {folder}")

    try:
        return _any(moved(folder) for folder in _outside(scene))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(source)


def _make_device(scene: Scene) -> Result:
    path = _own_path()
    # The machine's memory.
    result = _call(Call.MKNOD, path, stat.S_IFCHR | 0o600, os.makedev(1, 1))
    if result >= 0:
        os.unlink(path)
    return _of(result, "a device file")


def _change_mode(scene: Scene) -> Result:
    def changed(path: str) -> Result:
        return _of(_call(Call.CHMOD, path, stat.S_IMODE(os.stat(path).st_mode)), path)

    paths = [scene.secret, os.__file__, sys.executable]
    return _first(filter(None, paths), changed)


def _open_any(paths: Iterable[str], flags: int) -> Result:
    return _any(_of_descriptor(_open(path, flags), path) for path in paths)


#: Devices that do nothing when they are opened.
_DEVICES = ["mem", "port", "kmsg", "kvm", "fuse", "ptmx", "net/tun", "uinput", "vhost-net", "loop-control", "mapper/control"]
_DEVICES += ["vda", "sda", "nvme0n1", "loop0", "dm-0", "userfaultfd", "tty", "console"]
_SETTINGS = ["kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "vm/drop_caches", "kernel/ns_last_pid"]


def _write_own_group(scene: Scene) -> Result:
    """The control group of one's own, or the first one: who can write there is rid of its limits."""
    lines = _content("/proc/self/cgroup").decode(errors="replace").splitlines()
    own = [line.split(":", 2)[2].lstrip("/") for line in lines if line.count(":") >= 2]
    names = ["cgroup.procs", "memory.max", "tasks", "memory/tasks"]
    return _open_any((os.path.join("/sys/fs/cgroup", group, name) for group in [*own, ""] for name in names), os.O_WRONLY)


def _content(path: str, most: int = 1 << 22) -> bytes:
    """A file's content; nothing where it cannot be read."""
    descriptor = _open(path, os.O_RDONLY)
    if descriptor < 0:
        return b""
    content = b""
    with contextlib.suppress(OSError):
        while len(content) < most and (part := os.read(descriptor, 1 << 16)):
            content += part
    _call(Call.CLOSE, descriptor)
    return content


def _watch(scene: Scene) -> Result:
    watcher = _call(Call.INOTIFY_INIT1, _NONBLOCK)
    if watcher < 0:
        return _refused(watcher)
    accesses_and_changes = 0x3
    paths = [scene.secret, os.path.dirname(scene.secret)]
    result = _any(_of(_call(Call.INOTIFY_ADD_WATCH, watcher, path, accesses_and_changes), path) for path in paths)
    _call(Call.CLOSE, watcher)
    return result


# Mounts


def _mount(source: str, kind: str, flags: int) -> Result:
    with _own_folder() as folder:
        result = _call(Call.MOUNT, source, folder, kind, flags, 0)
        if result >= 0:
            detach = 2
            _call(Call.UMOUNT2, folder, detach)
        return _of(result, "mounted")


def _remount(scene: Scene) -> Result:
    """The root again, with the flags that it has, but to be written to."""
    kept = 0x2 | 0x4 | 0x8 | 0x10
    with contextlib.suppress(OSError):
        kept &= os.statvfs("/").f_flag
    remount, bind = 0x20, 0x1000
    return _of(_call(Call.MOUNT, 0, "/", 0, remount | bind | kept, 0), "the root can be written to")


def _mount_new_way(scene: Scene) -> Result:
    context = _call(Call.FSOPEN, "tmpfs", 1)
    if context < 0:
        return _refused(context)
    create = 6
    configured = _call(Call.FSCONFIG, context, create, 0, 0, 0)
    mount = _call(Call.FSMOUNT, context, 1, 0) if configured >= 0 else configured
    _call(Call.CLOSE, context)
    if mount < 0:
        return Result(True, f"a file system that is not mounted: {_name(-mount)}")
    return _of_descriptor(mount, "a mount")


def _move_mount(scene: Scene) -> Result:
    tree = _call(Call.OPEN_TREE, _HERE, "/usr", _OPEN_TREE_CLONE | _CLOEXEC)
    if tree < 0:
        return _refused(tree)
    try:
        with _own_folder() as folder:
            from_descriptor = 4
            result = _call(Call.MOVE_MOUNT, tree, "", _HERE, folder, from_descriptor)
            if result >= 0:
                _call(Call.UMOUNT2, folder, 2)
            return _of(result, "mounted")
    finally:
        _call(Call.CLOSE, tree)


def _unmount(scene: Scene) -> Result:
    # It is no mount, which the kernel says after it has looked at the caller's rights.
    with _own_folder() as folder:
        return _of_late(_call(Call.UMOUNT2, folder, 0))


def _set_mount(scene: Scene) -> Result:
    read_only = 1
    return _of(
        _call(Call.MOUNT_SETATTR, _HERE, "/", 0, _buffer(struct.pack("=QQQQ", 0, read_only, 0, 0)), 32), "the root's flags"
    )


# Network


def _socket(family: int, kind: int, protocol: int = 0) -> int:
    return _call(Call.SOCKET, family, kind | _NONBLOCK, protocol)


def _of_socket(family: int, kind: int, protocol: int = 0) -> Result:
    return _of_descriptor(_socket(family, kind, protocol), "a socket")


def _in_time(socket: int, result: int) -> int:
    """The result of a connection that may take a moment."""
    if result != -errno.EINPROGRESS:
        return result
    poll = select.poll()
    poll.register(socket, select.POLLOUT)
    if not poll.poll(1000):
        return -errno.ETIMEDOUT
    error, size = _buffer(4), _buffer(struct.pack("=I", 4))
    of_socket, so_error = 1, 4
    asked = _call(Call.GETSOCKOPT, socket, of_socket, so_error, error, size)
    return asked if asked < 0 else -struct.unpack("=i", error)[0]


def _connect(family: int, kind: int, address: bytes) -> Result:
    socket = _socket(family, kind)
    if socket < 0:
        return _refused(socket)
    try:
        return _of(_in_time(socket, _call(Call.CONNECT, socket, address, len(address))), "connected")
    finally:
        _call(Call.CLOSE, socket)


def _inet_address(port: int) -> bytes:
    return struct.pack("=H", _INET) + struct.pack(">H", port) + bytes([127, 0, 0, 1]) + bytes(8)


def _unix_address(path: bytes) -> bytes:
    return struct.pack("=H", _UNIX) + path


def _connect_to_port(scene: Scene) -> Result:
    return _connect(_INET, _STREAM, _inet_address(scene.port)) if scene.port else _refused("nobody listens")


def _fast_open(scene: Scene) -> Result:
    """A connection without a call for it: the first bytes go with the request."""
    if not scene.port:
        return _refused("nobody listens")
    socket = _socket(_INET, _STREAM)
    if socket < 0:
        return _refused(socket)
    try:
        fast_open, at_once, no_signal = 0x2000_0000, 0x40, 0x4000
        address = _inet_address(scene.port)
        result = _call(Call.SENDTO, socket, b"x", 1, fast_open | at_once | no_signal, address, len(address))
        return _of(_in_time(socket, result), "connected")
    finally:
        _call(Call.CLOSE, socket)


def _listen(scene: Scene) -> Result:
    socket = _socket(_INET, _STREAM)
    if socket < 0:
        return _refused(socket)
    address = _inet_address(0)
    result = _call(Call.BIND, socket, address, len(address))
    if result >= 0:
        result = _call(Call.LISTEN, socket, 1)
    _call(Call.CLOSE, socket)
    return _of(result, "listens")


def _connect_to_abstract(scene: Scene) -> Result:
    if not scene.abstract:
        return _refused("nobody listens")
    address = _unix_address(b"\0" + scene.abstract.lstrip("\0@").encode())
    return _any(_connect(_UNIX, kind, address) for kind in (_STREAM, _SEQPACKET, _DGRAM))


#: Sockets of what runs on most machines.
_SERVICES = ["/run/systemd/journal/socket", "/run/systemd/journal/stdout", "/run/systemd/notify", "/run/systemd/private"]
_SERVICES += [
    "/run/dbus/system_bus_socket",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/snapd.socket",
    "/dev/log",
]


def _connect_to_services(scene: Scene) -> Result:
    addresses = [_unix_address(path.encode() + b"\0") for path in _SERVICES]
    return _any(_connect(_UNIX, kind, address) for address in addresses for kind in (_STREAM, _DGRAM))


# Processes


def _on(processes: Iterable[int], work: Callable[[int], Result]) -> Result:
    """What comes of it with any of the processes, of which none is this one."""
    return _first((process for process in processes if process > 0 and process != os.getpid()), work)


def _on_supervisor(work: Callable[[int], Result]) -> Callable[[Scene], Result]:
    return lambda scene: _on([scene.supervisor], work)


def _on_others(work: Callable[[int], Result]) -> Callable[[Scene], Result]:
    return lambda scene: _on(scene.others, work)


# Signal 0 is none: the caller's rights are looked at, and no more.
def _kill(process: int) -> Result:
    return _of(_call(Call.KILL, process, 0), f"process {process} can be signalled")


def _queue_signal(number: Call, *to: int) -> Result:
    queued = -1
    information = _buffer(struct.pack("=iiii", 0, 0, queued, 0) + bytes(112))
    return _of(_call(number, *to, 0, information), "it can be signalled")


@contextlib.contextmanager
def _pidfd(process: int) -> Iterator[int]:
    descriptor = _call(Call.PIDFD_OPEN, process, 0)
    if descriptor < 0:
        raise OSError(-descriptor, os.strerror(-descriptor))
    try:
        yield descriptor
    finally:
        _call(Call.CLOSE, descriptor)


def _signal_by_pidfd(process: int) -> Result:
    with _pidfd(process) as descriptor:
        return _of(_call(Call.PIDFD_SEND_SIGNAL, descriptor, 0, 0, 0), "it can be signalled")


def _steal_descriptor(process: int) -> Result:
    with _pidfd(process) as descriptor:
        return _any(_of_descriptor(_call(Call.PIDFD_GETFD, descriptor, number, 0), f"its {number}") for number in range(16))


def _trace(request: int, process: int) -> Result:
    """Begin to trace a process, and let go of it. Who traces is a thread, so that all of it must happen in one."""
    seize, interrupt, detach, every_kind = 0x4206, 0x4207, 17, 0x4000_0000

    def traced() -> Result:
        result = _call(Call.PTRACE, request, process, 0, 0)
        if result < 0:
            return _refused(result)
        if request == seize:
            _call(Call.PTRACE, interrupt, process, 0, 0)
        until = time.monotonic() + 2
        while os.waitpid(process, os.WNOHANG | every_kind)[0] == 0 and time.monotonic() < until:
            time.sleep(0.002)
        _call(Call.PTRACE, detach, process, 0, 0)
        return Result(True, f"process {process} was traced")

    return _in_thread(traced)


def _seize(process: int) -> Result:
    return _trace(0x4206, process)


def _attach(process: int) -> Result:
    return _trace(16, process)


def _limits_of(process: int) -> Result:
    def set_again(resource: int) -> Result:
        limit = _buffer(16)
        result = _call(Call.PRLIMIT64, process, resource, 0, limit)
        return (
            _refused(result) if result < 0 else _of(_call(Call.PRLIMIT64, process, resource, limit, 0), "its limits can be set")
        )

    return _any(set_again(resource) for resource in range(16))


def _priority_of(process: int) -> Result:
    asked = _call(Call.GETPRIORITY, 0, process)
    return _refused(asked) if asked < 0 else _of(_call(Call.SETPRIORITY, 0, process, 20 - asked), "its priority can be set")


def _processors_of(process: int) -> Result:
    mask = _buffer(128)
    asked = _call(Call.SCHED_GETAFFINITY, process, 128, mask)
    return _refused(asked) if asked < 0 else _of(_call(Call.SCHED_SETAFFINITY, process, asked, mask), "its processors can be set")


def _links(process: int, names: Iterable[str]) -> Result:
    return _first(names, lambda name: Result(True, os.readlink(f"/proc/{process}/{name}")))


def _descriptors_of(process: int) -> Result:
    return _attempted(lambda: _list(f"/proc/{process}/fd"))


# What a child of these runs is the C library's `_exit`, or its `sleep`, with one argument.
def _clone(flags: int, function: str = "_exit", argument: int = 0) -> int:
    size = 1 << 16
    stack = _buffer(size)
    start = ctypes.cast(getattr(_LIBC, function), ctypes.c_void_p).value
    top = (ctypes.addressof(stack) + size) & ~15
    child: int = _LIBC.clone(start, top, flags | signal.SIGCHLD, argument)
    if child < 0:
        return -ctypes.get_errno()
    if function == "_exit":
        # The stack may be the child's, too.
        _reap(child)
    return child


def _of_clone(flags: int) -> Result:
    child = _clone(flags)
    return _of(child, f"process {child}")


def _clone3(flags: int) -> Result:
    return _of_child(_call(Call.CLONE3, _buffer(struct.pack("=11Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)), 88))


def _fork_bomb(scene: Scene) -> Result:
    """Four processes at a time, which would end by themselves."""
    children = [_clone(0, "sleep", 2) for _ in range(4)]
    living = [child for child in children if child > 0]
    for child in living:
        _call(Call.KILL, child, signal.SIGKILL)
        _reap(child)
    return Result(len(living) == 4, f"{len(living)} processes" if living else _name(-children[0]))


def _words(texts: Iterable[str]) -> Any:
    encoded = [*map(os.fsencode, texts), None]
    return (ctypes.c_char_p * len(encoded))(*encoded)


def _execute(program: list[str], at: str | None = None) -> Result:
    words, none = _words(program), _words([])
    return _in_child(lambda: _call(Call.EXECVE, at or program[0], words, none), EXECUTED)


def _python() -> list[str]:
    return [sys.executable or "/usr/bin/python3", "-I", "-S", "-c", f"raise SystemExit({EXECUTED})"]


def _execute_by_loader(scene: Scene) -> Result:
    """The loader maps the program as a library would be, so that the program need not be one that may be executed."""
    loaders = ["/lib64/ld-linux-x86-64.so.2", "/usr/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"]
    return _any(
        _execute([loader, os.path.realpath(_python()[0]), *_python()[1:]]) for loader in loaders if os.path.exists(loader)
    )


def _program() -> bytes:
    """A program that ends at once."""
    code = b"\xbf" + struct.pack("=I", EXECUTED) + b"\xb8\xe7\0\0\0\x0f\x05"
    base, start = 0x40_0000, 64 + 56
    header = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("=HHIQQQIHHHHHH", 2, 62, 1, base + start, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    )
    segment = struct.pack("=IIQQQQQQ", 1, 5, 0, base, base, start + len(code), start + len(code), _PAGE)
    return header + segment + code


def _execute_own_file(scene: Scene) -> Result:
    path = _own_file(_program(), 0o700)
    try:
        return _execute([path])
    finally:
        os.unlink(path)


def _execute_memory(scene: Scene) -> Result:
    memory = _call(Call.MEMFD_CREATE, "hotcell-attack", 1)
    if memory < 0:
        return _refused(memory)
    try:
        os.write(memory, _program())
        words, none = _words(["program"]), _words([])
        return _in_child(lambda: _call(Call.EXECVEAT, memory, "", words, none, _EMPTY_PATH), EXECUTED)
    finally:
        _call(Call.CLOSE, memory)


# Memory


def _write_own_code(scene: Scene) -> Result:
    """Write over a byte of the C library's code what it is."""
    address = ctypes.cast(_LIBC.getpid, ctypes.c_void_p).value or 0
    memory = _open("/proc/self/mem", os.O_RDWR)
    if memory < 0:
        return _refused(memory)
    try:
        os.pwrite(memory, os.pread(memory, 1, address), address)
        return Result(True, "code was written over")
    finally:
        _call(Call.CLOSE, memory)


class _Descriptor(NamedTuple):
    number: int
    status: os.stat_result
    #: Whether it may be written to.
    is_writable: bool
    #: Whether it is memory without a name.
    is_memory: bool
    #: Whether that is sealed against writing.
    is_sealed: bool


def _descriptors() -> Iterator[_Descriptor]:
    """All that this process has."""
    get_seals, against_writing = 1034, 0x8 | 0x10
    for number in range(1024):
        try:
            status = os.fstat(number)
            is_writable = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        except OSError:
            continue
        seals = -1
        with contextlib.suppress(OSError):
            seals = fcntl.fcntl(number, get_seals)
        is_memory = seals >= 0 and status.st_nlink == 0
        yield _Descriptor(number, status, is_writable, is_memory, seals > 0 and bool(seals & against_writing))


def _inputs() -> list[int]:
    """Descriptors of memory that is there to be read only."""
    return [found.number for found in _descriptors() if found.is_memory and (found.is_sealed or not found.is_writable)]


def _reopen_input(scene: Scene) -> Result:
    def written(number: int) -> Result:
        again = _open(f"/proc/self/fd/{number}", os.O_RDWR)
        if again < 0:
            return _refused(again)
        try:
            os.pwrite(again, os.pread(again, 1, 0) or b"\0", 0)
            return Result(True, f"descriptor {number} was written to")
        finally:
            _call(Call.CLOSE, again)

    return _first(_inputs(), written)


def _map_input(scene: Scene) -> Result:
    def mapped(number: int) -> Result:
        address = _call(Call.MMAP, 0, _PAGE, _PROT_READ | _PROT_WRITE, _MAP_SHARED, number, 0)
        if address < 0:
            return _refused(address)
        _call(Call.MUNMAP, address, _PAGE)
        return Result(True, f"descriptor {number} was mapped")

    return _first(_inputs(), mapped)


class _Mapping(NamedTuple):
    start: int
    end: int
    rights: str
    name: str


def _mappings(process: int) -> list[_Mapping]:
    found = []
    for line in _content(f"/proc/{process}/maps").decode(errors="replace").splitlines():
        span, rights, *rest = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in span.split("-"))
        found.append(_Mapping(start, end, rights, rest[3] if len(rest) > 3 else ""))
    return found


def _read_memory(process: int, address: int, size: int) -> bytes | int:
    """Memory of another process, or the call's error."""
    here = _buffer(size)
    local, remote = _buffer(struct.pack("=QQ", ctypes.addressof(here), size)), _buffer(struct.pack("=QQ", address, size))
    result = _call(Call.PROCESS_VM_READV, process, local, 1, remote, 1, 0)
    return result if result < 0 else here.raw[:result]


def _of_memory(result: int, did: str) -> Result:
    # Whether there is something at the address is looked at after the caller's rights.
    return Result(True, "got through: EFAULT") if result == -errno.EFAULT else _of(result, did)


def _read_from(process: int) -> Result:
    mappings = [mapping.start for mapping in _mappings(process) if mapping.rights.startswith("r")]
    read = _read_memory(process, mappings[0] if mappings else _NOWHERE, 8)
    return _of_memory(read if isinstance(read, int) else len(read), "8 bytes")


def _write_to(process: int) -> Result:
    """Write what is there to the first bytes of the heap, which never change."""
    heaps = [mapping.start for mapping in _mappings(process) if mapping.name == "[heap]"]
    address = heaps[0] if heaps else _NOWHERE
    read = _read_memory(process, address, 8)
    here = _buffer(read if isinstance(read, bytes) else bytes(8))
    local, remote = _buffer(struct.pack("=QQ", ctypes.addressof(here), 8)), _buffer(struct.pack("=QQ", address, 8))
    # Never over what could not be read.
    address_is_known = isinstance(read, bytes) or not heaps
    if not address_is_known:
        return _refused(read if isinstance(read, int) else 0)
    return _of_memory(_call(Call.PROCESS_VM_WRITEV, process, local, 1, remote, 1, 0), "8 bytes")


def _open_memory_of(process: int) -> Result:
    return _of_descriptor(_open(f"/proc/{process}/mem", os.O_RDONLY), "its memory")


def _advise(process: int) -> Result:
    cold = 20
    with _pidfd(process) as descriptor:
        result = _call(Call.PROCESS_MADVISE, descriptor, _buffer(struct.pack("=QQ", _NOWHERE, _PAGE)), 1, cold, 0)
        # That nothing is there is found out after the caller's rights.
        return Result(True, "got through: ENOMEM") if result == -errno.ENOMEM else _of(result)


def _find_in(process: int, token: str) -> Result:
    """Look for the token in what of its memory can be written to."""
    if not token:
        return _refused("nothing to look for")
    wanted, most, until, read = token.encode(), _MOST_SEARCHED, time.monotonic() + _LONGEST_SEARCH, 0
    for mapping in _mappings(process):
        if not mapping.rights.startswith("rw"):
            continue
        for start in range(mapping.start, mapping.end, 1 << 20):
            part = _read_memory(process, start, min(mapping.end - start, (1 << 20) + len(wanted)))
            if isinstance(part, int):
                if part == -errno.EFAULT:
                    continue
                return _refused(part)
            read += len(part)
            if wanted in part:
                return Result(True, f"the token at {start + part.index(wanted):#x}")
            if read > most or time.monotonic() > until:
                return _refused("not found in time")
    return _refused("not found" if read else "no memory to look into")


def _segments() -> Iterator[int]:
    """System V shared memory that another process made."""
    most = _call(Call.SHMCTL, 0, 14, _buffer(128))
    if most < 0:
        raise OSError(-most, os.strerror(-most))
    for index in range(most + 1):
        status = _buffer(256)
        segment = _call(Call.SHMCTL, index, 13, status)
        if segment >= 0 and struct.unpack_from("=i", status, 80)[0] != os.getpid():
            yield segment


def _content_of_segment(segment: int) -> bytes | int:
    read_only, status = 0o10000, 2
    about = _buffer(256)
    asked = _call(Call.SHMCTL, segment, status, about)
    address = _call(Call.SHMAT, segment, 0, read_only) if asked >= 0 else asked
    if address < 0:
        return address
    content = ctypes.string_at(address, min(struct.unpack_from("=Q", about, 48)[0], 1 << 22))
    _call(Call.SHMDT, address)
    return content


def _attach_segments(scene: Scene) -> Result:
    def attached(segment: int) -> Result:
        content = _content_of_segment(segment)
        return _refused(content) if isinstance(content, int) else Result(True, f"segment {segment} of {len(content)} bytes")

    return _any(attached(segment) for segment in _segments())


def _read_semaphores(scene: Scene) -> Result:
    information, status, get_value = 19, 18, 12
    most = _call(Call.SEMCTL, 0, 0, information, _buffer(128))
    if most < 0:
        return _refused(most)
    sets = (_call(Call.SEMCTL, index, 0, status, _buffer(256)) for index in range(most + 1))
    return _any(_refused(found) if found < 0 else _of(_call(Call.SEMCTL, found, 0, get_value), f"set {found}") for found in sets)


def _find_queues(scene: Scene) -> Result:
    information, status = 12, 11
    most = _call(Call.MSGCTL, 0, information, _buffer(128))
    if most < 0:
        return _refused(most)
    return _any(_of(_call(Call.MSGCTL, index, status, _buffer(256)), "a queue that can be read") for index in range(most + 1))


def _posix_segments() -> list[str]:
    directory = _open("/dev/shm", os.O_RDONLY | os.O_DIRECTORY)
    if directory < 0:
        raise OSError(-directory, os.strerror(-directory))
    try:
        return [f"/dev/shm/{name}" for name in os.listdir(directory)]
    finally:
        _call(Call.CLOSE, directory)


def _open_posix_queues(scene: Scene) -> Result:
    names = os.listdir("/dev/mqueue")
    return _any(_of_descriptor(_call(Call.MQ_OPEN, name, os.O_RDONLY | _NONBLOCK, 0, 0), name) for name in names)


def _find_in_shared(scene: Scene) -> Result:
    """Look for the token in memory that has a name, and in descriptors of other processes."""
    if not scene.token:
        return _refused("nothing to look for")
    wanted, until = scene.token.encode(), time.monotonic() + _LONGEST_SEARCH

    def contents() -> Iterator[tuple[str, bytes | int]]:
        with contextlib.suppress(OSError):
            yield from ((path, _content(path)) for path in _posix_segments())
        with contextlib.suppress(OSError):
            yield from ((f"segment {segment}", _content_of_segment(segment)) for segment in _segments())
        for process in [scene.supervisor, *scene.others]:
            with contextlib.suppress(OSError):
                for number in os.listdir(f"/proc/{process}/fd"):
                    path = f"/proc/{process}/fd/{number}"
                    # Only memory is read, which nobody's reading position is in.
                    if "memfd:" in os.readlink(path):
                        yield path, _content(path)

    for name, content in contents():
        if isinstance(content, bytes) and wanted in content:
            return Result(True, f"the token in {name}")
        if time.monotonic() > until:
            return _refused("not found in time")
    return _refused("not found")


def _map_page_zero(scene: Scene) -> Result:
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED
    address = _call(Call.MMAP, 0, _PAGE, _PROT_READ | _PROT_WRITE, flags, -1, 0)
    if address == 0:
        _call(Call.MUNMAP, 0, _PAGE)
    return Result(address == 0, "page 0" if address == 0 else _name(-address))


# Privileges

_GET_DUMPABLE, _SET_DUMPABLE, _GET_DEATH_SIGNAL, _SET_DEATH_SIGNAL = 3, 4, 2, 1
_SET_SECCOMP, _SET_SECUREBITS, _SET_MM, _NO_NEW_PRIVILEGES, _AMBIENT = 22, 28, 35, 38, 47
_SYSTEM_ADMINISTRATOR = 21


def _as_thread(number: Call, *arguments: Any) -> Result:
    """What a call comes to that changes the calling thread's rights. The process stays as dumpable as it was."""

    def made() -> Result:
        dumpable = _call(Call.PRCTL, _GET_DUMPABLE)
        result = _call(number, *arguments)
        if result >= 0 and dumpable in (0, 1):
            _call(Call.PRCTL, _SET_DUMPABLE, dumpable)
        return _of(result)

    return _in_thread(made)


def _other_identity(own: Call) -> int:
    """Root; for root somebody else."""
    return 0 if _call(own) != 0 else 1


def _raise_capabilities(scene: Scene) -> Result:
    mask = 1 << _SYSTEM_ADMINISTRATOR
    header = _buffer(struct.pack("=Ii", 0x2008_0522, 0))
    return _as_thread(Call.CAPSET, header, _buffer(struct.pack("=6I", mask, mask, 0, 0, 0, 0)))


def _raise_ambient(scene: Scene) -> Result:
    def raised() -> Result:
        mask = 1 << _SYSTEM_ADMINISTRATOR
        _call(Call.CAPSET, _buffer(struct.pack("=Ii", 0x2008_0522, 0)), _buffer(struct.pack("=6I", mask, mask, mask, 0, 0, 0)))
        add = 2
        return _of(_call(Call.PRCTL, _AMBIENT, add, _SYSTEM_ADMINISTRATOR, 0, 0))

    def kept() -> Result:
        dumpable = _call(Call.PRCTL, _GET_DUMPABLE)
        result = raised()
        if dumpable in (0, 1):
            _call(Call.PRCTL, _SET_DUMPABLE, dumpable)
        return result

    return _in_thread(kept)


def _make_dumpable(scene: Scene) -> Result:
    before = _call(Call.PRCTL, _GET_DUMPABLE)
    result = _call(Call.PRCTL, _SET_DUMPABLE, 1, 0, 0, 0)
    if result >= 0 and before == 0:
        _call(Call.PRCTL, _SET_DUMPABLE, 0, 0, 0, 0)
    return _of(result)


def _outlive(scene: Scene) -> Result:
    before = _buffer(4)
    _call(Call.PRCTL, _GET_DEATH_SIGNAL, before, 0, 0, 0)
    result = _call(Call.PRCTL, _SET_DEATH_SIGNAL, 0, 0, 0, 0)
    if result >= 0:
        _call(Call.PRCTL, _SET_DEATH_SIGNAL, struct.unpack("=i", before)[0], 0, 0, 0)
    return _of(result, "no signal at the supervisor's end")


def _change_personality(bits: int) -> Result:
    def changed() -> Result:
        before = _call(Call.PERSONALITY, 0xFFFF_FFFF)
        if before < 0:
            return _refused(before)
        result = _call(Call.PERSONALITY, before | bits)
        now = _call(Call.PERSONALITY, 0xFFFF_FFFF)
        _call(Call.PERSONALITY, before)
        return Result(result >= 0 and now & bits == bits, f"{now:#x}" if result >= 0 else _name(-result))

    return _in_thread(changed)


def _own_filter(number: Call, *arguments: int) -> Result:
    """Install a filter that allows everything."""

    def installed() -> Result:
        _call(Call.PRCTL, _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        allow = _buffer(struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF_0000))
        program = _buffer(struct.pack("=HxxxxxxQ", 1, ctypes.addressof(allow)))
        result = _call(number, *arguments, program)
        # With a listener, that is a descriptor.
        return _of_descriptor(result, "a filter") if result > 2 else _of(result, "a filter")

    return _in_thread(installed)


def _add_rights(scene: Scene) -> Result:
    """A ruleset that allows to read everything; what can be read with it could not before."""
    if _read_quietly(scene.secret):
        return _refused("it can be read without")
    read_file, beneath = 1 << 2, 1

    def added() -> Result:
        _call(Call.PRCTL, _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        rules = _call(Call.LANDLOCK_CREATE_RULESET, _buffer(struct.pack("=Q", read_file)), 8, 0)
        if rules < 0:
            return _refused(rules)
        root = _open("/", os.O_PATH)
        _call(Call.LANDLOCK_ADD_RULE, rules, beneath, _buffer(struct.pack("=Qi", read_file, root)), 0)
        restricted = _call(Call.LANDLOCK_RESTRICT_SELF, rules, 0)
        _call(Call.CLOSE, root)
        _call(Call.CLOSE, rules)
        return _refused(restricted) if restricted < 0 else _read(scene.secret)

    return _in_thread(added)


def _read_quietly(path: str) -> bool:
    return _attempted(lambda: _read(path)).succeeded


def _raise_limits(number: Call) -> Result:
    """Raise the first of this process's hard limits that can be."""

    def changed(resource: int, soft: int, hard: int) -> int:
        limit = _buffer(struct.pack("=QQ", soft, hard))
        return _call(number, 0, resource, limit, 0) if number == Call.PRLIMIT64 else _call(number, resource, limit)

    def raised(resource: int) -> Result:
        limit = _buffer(16)
        asked = _call(Call.PRLIMIT64, 0, resource, 0, limit)
        soft, hard = struct.unpack("=QQ", limit)
        if asked < 0 or hard >= (1 << 63) - 1:
            return _refused(asked if asked < 0 else "no limit")
        result = changed(resource, soft, hard + 1)
        if result >= 0:
            changed(resource, soft, hard)
        return _of(result, f"limit {resource}")

    return _any(raised(resource) for resource in range(16))


def _unshare(kind: str, scene: Scene) -> Result:
    flag = _NAMESPACES[kind]
    if kind == "user":
        # A process with several threads cannot.
        return _in_child(lambda: _call(Call.UNSHARE, flag))
    return _in_thread(lambda: _of(_call(Call.UNSHARE, flag), "a namespace"))


def _enter(kind: str, scene: Scene) -> Result:
    def enter(process: int) -> int:
        namespace = _open(f"/proc/{process}/ns/{kind}", os.O_RDONLY)
        if namespace < 0:
            return namespace
        try:
            if kind == "mnt":
                # A thread that shares its current directory cannot.
                _call(Call.UNSHARE, _CLONE_FS)
            return _call(Call.SETNS, namespace, _NAMESPACES[kind])
        finally:
            _call(Call.CLOSE, namespace)

    processes = [process for process in (1, scene.supervisor) if process > 0]
    if kind in ("user", "time"):
        # Nor can a process with several threads.
        return _first(processes, lambda process: _in_child(lambda: enter(process)))
    return _in_thread(lambda: _first(processes, lambda process: _of(enter(process), f"that of process {process}")))


def _enter_by_pidfd(process: int) -> Result:
    def entered() -> Result:
        with _pidfd(process) as descriptor:
            kinds = (kind for kind in _NAMESPACES if kind not in ("user", "mnt", "time"))
            return _any(_of(_call(Call.SETNS, descriptor, _NAMESPACES[kind]), kind) for kind in kinds)

    return _in_thread(entered)


# The operating system's kernel


def _open_key(scene: Scene) -> Result:
    process_keyring, unlink = -2, 9
    key = _call(Call.ADD_KEY, "user", "hotcell-attack", b"x", 1, process_keyring)
    if key >= 0:
        _call(Call.KEYCTL, unlink, key, process_keyring)
    return _of(key, "a key")


def _performance(process: int) -> Result:
    software, disabled, not_the_kernel, nor_its_hypervisor = 1, 1 << 0, 1 << 5, 1 << 6
    attributes = struct.pack("=IIQQQQQ", software, 112, 0, 0, 0, 0, disabled | not_the_kernel | nor_its_hypervisor)
    return _of_descriptor(_call(Call.PERF_EVENT_OPEN, _buffer(attributes.ljust(112, b"\0")), process, -1, -1, 8))


def _load_program(scene: Scene) -> Result:
    """A filter for sockets that lets nothing through."""
    instructions, license_ = _buffer(struct.pack("=QQ", 0xB7, 0x95)), _buffer(b"GPL\0")
    attributes = struct.pack("=IIQQ", 1, 2, ctypes.addressof(instructions), ctypes.addressof(license_))
    return _of_descriptor(_call(Call.BPF, 5, _buffer(attributes.ljust(64, b"\0")), 64), "a program in the kernel")


def _load_module_file(scene: Scene) -> Result:
    # It is no module, which the kernel says after it has looked at the caller's rights.
    file = _open(sys.executable or "/proc/self/exe", os.O_RDONLY)
    result = _of_late(_call(Call.FINIT_MODULE, file, "", 0))
    if file >= 0:
        _call(Call.CLOSE, file)
    return result


def _set_time_zone(scene: Scene) -> Result:
    # A zone that far from Greenwich is refused after the caller's rights; the time is not set.
    return _of_late(_call(Call.SETTIMEOFDAY, 0, _buffer(struct.pack("=ii", 99_999, 0))))


def _set_clock(scene: Scene) -> Result:
    # The time may not be before the machine's start, as the kernel says after it has looked at the caller's rights.
    return _of_late(_call(Call.CLOCK_SETTIME, time.CLOCK_REALTIME, _buffer(struct.pack("=qq", 0, 0))))


def _adjust_clock(number: Call, *clock: int) -> Result:
    # Ticks of no length are refused after the caller's rights.
    tick = 0x4000
    return _of_late(_call(number, *clock, _buffer(struct.pack("=I", tick).ljust(208, b"\0"))))


def _reboot(scene: Scene) -> Result:
    # There is no such command, which the kernel says after it has looked at the caller's rights.
    return _of_late(_call(Call.REBOOT, 0xFEE1_DEAD, 0x2812_1969, 0x0BAD_C0DE, 0))


def _name_host(scene: Scene) -> Result:
    name = os.uname().nodename.encode()
    return _of(_call(Call.SETHOSTNAME, name, len(name)), "the name that it has")


def _read_log(scene: Scene) -> Result:
    log = _buffer(4096)
    read_all = 3
    result = _call(Call.SYSLOG, read_all, log, 4096)
    return Result(result > 0, f"{result} bytes" if result >= 0 else _name(-result))


def _push_input(scene: Scene) -> Result:
    # What is pushed means nothing.
    push = 0x5412
    terminal = _open("/dev/tty", os.O_RDWR)
    result = _any(_of(_call(Call.IOCTL, number, push, b"\0"), f"by {number}") for number in (0, 1, 2, terminal) if number >= 0)
    if terminal >= 0:
        _call(Call.CLOSE, terminal)
    return result


def _write_descriptor_table(scene: Scene) -> Result:
    # Nothing is put into the table that nothing was in.
    result = _call(Call.MODIFY_LDT, 0x11, _buffer(struct.pack("=IIII", 0, 0, 0, 0b101000)), 16)
    # Its errors are numbers of 32 bits.
    return Result(result == 0, "a table" if result == 0 else _name(-ctypes.c_int32(result).value))


@contextlib.contextmanager
def _machine_code(*parts: tuple[int, bytes]) -> Iterator[int]:
    """A page below 4 GiB with those bytes at those places, that can be executed."""
    page = bytearray(_PAGE)
    for offset, content in parts:
        page[offset : offset + len(content)] = content
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_32BIT
    address = _call(Call.MMAP, 0, _PAGE, _PROT_READ | _PROT_WRITE | _PROT_EXEC, flags, -1, 0)
    is_both = address >= 0
    if not is_both:
        address = _call(Call.MMAP, 0, _PAGE, _PROT_READ | _PROT_WRITE, flags, -1, 0)
    if address < 0:
        raise OSError(-address, os.strerror(-address))
    try:
        ctypes.memmove(address, bytes(page), _PAGE)
        protected = 0 if is_both else _call(Call.MPROTECT, address, _PAGE, _PROT_READ | _PROT_EXEC)
        if protected < 0:
            raise OSError(-protected, os.strerror(-protected))
        yield address
    finally:
        _call(Call.MUNMAP, address, _PAGE)


#: Where in a page of machine code a path is, and a handler of faults.
_AT_PATH, _AT_HANDLER = 1024, 3072


def _by_code(number: int, *arguments: Any) -> int:
    """Make a call of up to three arguments by an instruction of one's own."""
    code = b"\xb8" + struct.pack("=I", number) + b"\x0f\x05\xc3"
    kept = [os.fsencode(argument) if isinstance(argument, str) else argument for argument in arguments]
    with _machine_code((0, code)) as address:
        function = ctypes.PYFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * len(kept))(address)
        return int(function(*map(_word, kept)))


def _fork_by_code(scene: Scene) -> Result:
    """A child that shares all memory, and ends before it touches any."""
    in_child = b"\x31\xff\xb8\xe7\0\0\0\x0f\x05"
    code = b"\xb8" + struct.pack("=I", Call.VFORK) + b"\x0f\x05\x85\xc0\x75" + bytes([len(in_child)]) + in_child + b"\xc3"
    with _machine_code((0, code)) as address:
        child = int(ctypes.PYFUNCTYPE(ctypes.c_int)(address)())
    if child > 0:
        _reap(child)
    return _of(child, f"process {child}")


class _Action(ctypes.Structure):
    """The C library's `struct sigaction`."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_char * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


def _by_interrupt(number: int, *arguments: int, path: str = "") -> int:
    """Make a call the way that 32-bit programs do. `path` is in place of the first argument, if it is not empty.

    A kernel without that way answers with a fault, which a handler turns into ``ENOSYS``.
    """
    at_path = os.fsencode(path) + b"\0"
    handler = b"\x48\x83\x82\xa8\0\0\0\x02" + b"\x48\xc7\x82\x90\0\0\0\xda\xff\xff\xff" + b"\xc3"
    with _machine_code((_AT_PATH, at_path), (_AT_HANDLER, handler)) as address:
        words = [address + _AT_PATH, *arguments] if path else [*arguments]
        first, second, third = [*words, 0, 0, 0][:3]
        moves = b"".join(
            opcode + struct.pack("=I", value & 0xFFFF_FFFF)
            for opcode, value in ((b"\xb8", number), (b"\xbb", first), (b"\xb9", second), (b"\xba", third))
        )
        code = b"\x53" + moves + _INTERRUPT + b"\x5b\xc3"
        with _machine_code((0, code)) as start:
            return _caught(address + _AT_HANDLER, ctypes.PYFUNCTYPE(ctypes.c_int)(start))


_INTERRUPT = b"\xcd\x80"


def _caught(handler: int, function: Callable[[], Any]) -> int:
    """Call machine code with a handler of faults."""
    with_information, nested, on_stack = 4, 0x4000_0000, 0x0800_0000
    action, before = _Action(handler, b"", with_information | nested | on_stack, None), _Action()
    installed: int = _LIBC.sigaction(int(signal.SIGSEGV), ctypes.byref(action), ctypes.byref(before))
    if installed < 0:
        return -ctypes.get_errno()
    try:
        return int(function())
    finally:
        _LIBC.sigaction(int(signal.SIGSEGV), ctypes.byref(before), None)


# The channel, and other descriptors


def _found(wanted: Callable[[_Descriptor], bool]) -> Result:
    numbers = [str(found.number) for found in _descriptors() if wanted(found)]
    return Result(bool(numbers), f"descriptor {', '.join(numbers)}" if numbers else "none")


def _is_file_outside(found: _Descriptor) -> bool:
    """Whether it is a file that can be written to and is neither memory nor in the folder for temporary files."""
    if not stat.S_ISREG(found.status.st_mode) or not found.is_writable or found.is_memory:
        return False
    with contextlib.suppress(OSError):
        return found.status.st_dev != os.stat("/tmp").st_dev or os.path.ismount("/tmp") is False
    return True


def _is_device(found: _Descriptor) -> bool:
    """Whether it is a disk, a terminal, or a part of the machine's memory."""
    memory, null, zero, full, random, unlimited_random = 1, 3, 5, 7, 8, 9
    if stat.S_ISBLK(found.status.st_mode):
        return True
    if not stat.S_ISCHR(found.status.st_mode):
        return False
    major, minor = os.major(found.status.st_rdev), os.minor(found.status.st_rdev)
    if major == memory:
        return minor not in (null, zero, full, random, unlimited_random)
    return major in (4, 5) or 136 <= major <= 143


def _sockets() -> list[int]:
    return [found.number for found in _descriptors() if stat.S_ISSOCK(found.status.st_mode)]


def _is_namespace(number: int) -> bool:
    get_kind = 0xB703
    return _call(Call.IOCTL, number, get_kind) > 0


def _peek(scene: Scene) -> Result:
    def peeked(number: int) -> Result:
        peek, at_once = 0x2, 0x40
        content = _buffer(64)
        result = _call(Call.RECVFROM, number, content, 64, peek | at_once, 0, 0)
        return Result(result > 0, f"{result} bytes of {number}" if result >= 0 else _name(-result))

    return _any(peeked(number) for number in _sockets() if number != CHANNEL)


def _peer_of_channel(scene: Scene) -> Result:
    """A descriptor of the process at the other end, and what can be done with it."""
    of_socket, peer = 1, 77
    answer, size = _buffer(struct.pack("=i", -1)), _buffer(struct.pack("=I", 4))
    asked = _call(Call.GETSOCKOPT, CHANNEL, of_socket, peer, answer, size)
    descriptor = struct.unpack("=i", answer)[0]
    if asked < 0 or descriptor < 0:
        return _refused(asked if asked < 0 else "none")
    try:
        signalled = _of(_call(Call.PIDFD_SEND_SIGNAL, descriptor, 0, 0, 0), "it can be signalled")
        stolen = (_of_descriptor(_call(Call.PIDFD_GETFD, descriptor, number, 0), f"its {number}") for number in range(8))
        return _any([signalled, *stolen])
    finally:
        _call(Call.CLOSE, descriptor)


def _namespace_of_sockets(scene: Scene) -> Result:
    get_namespace = 0x894C
    return _any(_of_descriptor(_call(Call.IOCTL, number, get_namespace), f"that of {number}") for number in _sockets())


def _find_in_descriptors(scene: Scene) -> Result:
    """Look for the token in memory that was handed over. Where the scene itself came, its secret's path is beside it."""
    if not scene.token:
        return _refused("nothing to look for")
    for found in _descriptors():
        if not found.is_memory:
            continue
        with contextlib.suppress(OSError):
            content = os.pread(found.number, min(found.status.st_size, _MOST_SEARCHED), 0)
            if scene.token.encode() in content and os.fsencode(scene.secret) not in content:
                return Result(True, f"the token in descriptor {found.number}")
    return _refused("not found")


def _attacks(group: str, *rows: tuple[str, str, Callable[[Scene], Result]]) -> list[Attack]:
    return [Attack(name, group, what, work) for name, what, work in rows]


_FILES = _attacks(
    "files",
    ("read-passwd", "the list of users is read", lambda _: _read("/etc/passwd")),
    ("read-shadow", "the users' passwords are read", lambda _: _read("/etc/shadow")),
    ("read-secret", "a file of the supervisor's user is read", lambda scene: _read(scene.secret)),
    (
        "read-secret-by-open",
        "that file is opened by the oldest call",
        lambda scene: _of_reading(_call(Call.OPEN, scene.secret, os.O_RDONLY | _CLOEXEC, 0)),
    ),
    ("read-secret-by-openat2", "that file is opened by the newest call", lambda scene: _of_reading(_openat2(scene.secret))),
    ("read-secret-upwards", "that file is read by a way up from /tmp", lambda scene: _read("/tmp" + "/.." * 16 + scene.secret)),
    ("read-secret-by-symbolic-link", "that file is read through a link", _read_by_symbolic_link),
    ("read-secret-by-hard-link", "that file is linked into /tmp", _read_by_hard_link),
    (
        "read-secret-by-own-root",
        "that file is read through this process's root",
        lambda scene: _read_under(["/proc/self/root", "/proc/thread-self/root", "/proc/self/cwd" + "/.." * 16], scene.secret),
    ),
    (
        "read-secret-by-other-roots",
        "that file is read through another process's root",
        lambda scene: _read_under((f"/proc/{process}/root" for process in [1, scene.supervisor, *scene.others]), scene.secret),
    ),
    ("read-secret-by-handle", "a file is opened by its number on the disk", _open_by_handle),
    ("name-secret-by-handle", "that file's number on the disk is asked for", lambda scene: _of(_handle_of(scene.secret)[0])),
    ("see-secret", "it is seen how large that file is", lambda scene: _status(scene.secret)),
    ("write-secret", "that file is opened to be written to", lambda scene: _of_descriptor(_open(scene.secret, os.O_WRONLY))),
    ("watch-secret", "it is seen when that file is used", _watch),
    ("list-outside", "directories of users are listed", _list_outside),
    ("read-home", "users' settings and keys are read", _read_home),
    ("read-init-environment", "the environment of process 1 is read", lambda _: _read("/proc/1/environ")),
    (
        "read-supervisor-environment",
        "the supervisor's environment is read",
        _on_supervisor(lambda process: _read(f"/proc/{process}/environ")),
    ),
    (
        "read-supervisor-command",
        "the supervisor's command line is read",
        _on_supervisor(lambda process: _read(f"/proc/{process}/cmdline")),
    ),
    (
        "read-supervisor-mappings",
        "it is read where the supervisor's memory is",
        _on_supervisor(lambda process: _read(f"/proc/{process}/maps")),
    ),
    ("list-supervisor-descriptors", "the supervisor's open files are listed", _on_supervisor(_descriptors_of)),
    (
        "find-supervisor-directory",
        "the supervisor's current directory is found",
        _on_supervisor(lambda pid: _links(pid, ["cwd"])),
    ),
    ("find-supervisor-root", "the supervisor's root is found", _on_supervisor(lambda pid: _links(pid, ["root", "exe"]))),
    ("read-others-environment", "other processes' environment is read", _on_others(lambda pid: _read(f"/proc/{pid}/environ"))),
    ("write-site-packages", "a file is put where packages are", lambda _: _create([sysconfig.get_path("purelib")])),
    ("write-library", "a file is put where Python's modules are", lambda _: _create([os.path.dirname(os.__file__)])),
    (
        "write-module",
        "one of Python's modules is opened to be written to",
        lambda _: _of_descriptor(_open(os.__file__, os.O_WRONLY)),
    ),
    (
        "write-beside-interpreter",
        "a file is put beside Python",
        lambda _: _create([os.path.dirname(os.path.realpath(_python()[0]))]),
    ),
    ("write-usr", "a file is put into /usr", lambda _: _create(["/usr", "/usr/bin", "/usr/lib"])),
    ("write-root", "a file is put into the root", lambda _: _create(["/"])),
    ("write-elsewhere", "a file is put outside /tmp", lambda scene: _create(_outside(scene))),
    ("link-out", "a file in /tmp gets a name outside", lambda scene: _move_out(Call.LINK, scene)),
    ("rename-out", "a file in /tmp is moved out", lambda scene: _move_out(Call.RENAME, scene)),
    ("symbolic-link-out", "a link is put outside /tmp", lambda scene: _move_out(Call.SYMLINK, scene)),
    ("change-mode", "it is changed who may use a file outside", _change_mode),
    ("make-device", "a device file is made", _make_device),
    ("open-devices", "a device is opened", lambda _: _open_any((f"/dev/{name}" for name in _DEVICES), os.O_RDONLY)),
    (
        "write-settings",
        "a setting of the kernel is opened",
        lambda _: _open_any((f"/proc/sys/{name}" for name in _SETTINGS), os.O_WRONLY),
    ),
    ("write-control-group", "the limits of a control group are opened", _write_own_group),
    ("mount", "a file system is mounted", lambda _: _mount("tmpfs", "tmpfs", 0)),
    ("mount-proc", "a view of the processes is mounted", lambda _: _mount("proc", "proc", 0)),
    ("mount-again", "a directory is mounted at a second place", lambda _: _mount("/usr", "none", 0x1000)),
    ("remount", "the root is mounted so that it can be written to", _remount),
    ("mount-by-fsopen", "a file system is mounted by the newer calls", _mount_new_way),
    (
        "mount-by-fspick",
        "a mounted file system is opened to be changed",
        lambda _: _of_descriptor(_call(Call.FSPICK, _HERE, "/", 1)),
    ),
    (
        "copy-mounts",
        "the tree of mounts is copied",
        lambda _: _of_descriptor(_call(Call.OPEN_TREE, _HERE, "/", _OPEN_TREE_CLONE | _RECURSIVE | _CLOEXEC)),
    ),
    ("move-mount", "a copied tree is mounted", _move_mount),
    ("set-mount", "it is changed what may be done in a mount", _set_mount),
    ("unmount", "a file system is unmounted", _unmount),
    # To the root that it is.
    ("change-root", "another root is taken", lambda _: _of(_call(Call.CHROOT, "/"), "a root")),
    # The two are the same, which the kernel says after it has looked at the caller's rights.
    ("pivot-root", "the root of all is changed", lambda _: _of_late(_call(Call.PIVOT_ROOT, "/", "/"))),
)

_NETWORK = _attacks(
    "network",
    ("tcp-socket", "a TCP socket is made", lambda _: _of_socket(_INET, _STREAM)),
    ("tcp6-socket", "a TCP socket of IPv6 is made", lambda _: _of_socket(_INET6, _STREAM)),
    ("mptcp-socket", "a socket of multipath TCP is made", lambda _: _of_socket(_INET, _STREAM, 262)),
    ("udp-socket", "a UDP socket is made", lambda _: _of_socket(_INET, _DGRAM)),
    ("raw-socket", "a socket for packets of IP is made", lambda _: _of_socket(_INET, _RAW, 1)),
    ("packet-socket", "a socket for the network's frames is made", lambda _: _of_socket(_PACKET, _RAW, 0x0300)),
    ("netlink-socket", "a socket to the kernel's network settings is made", lambda _: _of_socket(_NETLINK, _RAW)),
    ("vsock-socket", "a socket to the hypervisor is made", lambda _: _of_socket(_VSOCK, _STREAM)),
    ("unix-socket", "a socket to processes of this machine is made", lambda _: _of_socket(_UNIX, _STREAM)),
    ("crypto-socket", "a socket to the kernel's cryptography is made", lambda _: _of_socket(_ALG, _SEQPACKET)),
    ("connect-port", "a TCP port of the supervisor is reached", _connect_to_port),
    ("connect-port-by-sending", "that port is reached without a call to connect", _fast_open),
    ("connect-abstract", "an abstract socket of the supervisor is reached", _connect_to_abstract),
    ("connect-services", "a service of this machine is reached", _connect_to_services),
    ("listen", "a TCP port is opened", _listen),
)

_PROCESSES = _attacks(
    "processes",
    ("signal-supervisor", "the supervisor can be signalled", _on_supervisor(_kill)),
    (
        "signal-supervisor-by-tkill",
        "its first thread can be signalled",
        _on_supervisor(lambda pid: _of(_call(Call.TKILL, pid, 0))),
    ),
    (
        "signal-supervisor-by-tgkill",
        "its first thread can be signalled",
        _on_supervisor(lambda pid: _of(_call(Call.TGKILL, pid, pid, 0))),
    ),
    (
        "signal-supervisor-by-queue",
        "a signal with a value can be sent to it",
        _on_supervisor(lambda pid: _queue_signal(Call.RT_SIGQUEUEINFO, pid)),
    ),
    (
        "signal-supervisor-by-thread-queue",
        "a signal with a value can be sent to its first thread",
        _on_supervisor(lambda pid: _queue_signal(Call.RT_TGSIGQUEUEINFO, pid, pid)),
    ),
    ("signal-supervisor-by-pidfd", "it can be signalled through a descriptor", _on_supervisor(_signal_by_pidfd)),
    ("signal-others", "another process of the same user can be signalled", _on_others(_kill)),
    ("signal-init", "process 1 can be signalled", lambda _: _on([1], _kill)),
    # This process itself is left out by the kernel.
    ("signal-all", "any process can be signalled", lambda _: _of(_call(Call.KILL, -1, 0))),
    (
        "open-supervisor",
        "a descriptor of the supervisor is made",
        _on_supervisor(lambda pid: _of_descriptor(_call(Call.PIDFD_OPEN, pid, 0))),
    ),
    ("steal-descriptors", "an open file of the supervisor is taken", _on_supervisor(_steal_descriptor)),
    ("steal-others-descriptors", "an open file of another process is taken", _on_others(_steal_descriptor)),
    (
        "compare-supervisor",
        "the supervisor's kernel objects are compared with one's own",
        _on_supervisor(lambda pid: _of(_call(Call.KCMP, os.getpid(), pid, 1, 0, 0))),
    ),
    (
        "find-supervisor-locks",
        "it is found where the supervisor's locks are",
        _on_supervisor(lambda pid: _of(_call(Call.GET_ROBUST_LIST, pid, _buffer(8), _buffer(8)))),
    ),
    ("trace-supervisor-by-seize", "the supervisor is traced", _on_supervisor(_seize)),
    ("trace-supervisor-by-attach", "the supervisor is traced the older way", _on_supervisor(_attach)),
    ("trace-others", "another process of the same user is traced", _on_others(_seize)),
    ("set-supervisor-limits", "the supervisor's limits are set", _on_supervisor(_limits_of)),
    ("set-supervisor-priority", "the supervisor's priority is set", _on_supervisor(_priority_of)),
    ("set-supervisor-processors", "the supervisor's processors are set", _on_supervisor(_processors_of)),
    ("fork", "a process is made", lambda _: _of_child(_call(Call.FORK))),
    ("clone", "a process is made by the newer call", lambda _: _of_clone(0)),
    ("clone-sharing-memory", "a process with this one's memory is made", lambda _: _of_clone(_CLONE_VM)),
    ("vfork", "a process is made that this one waits for", lambda _: _of_clone(_CLONE_VM | _CLONE_VFORK)),
    ("clone3", "a process is made by the newest call", lambda _: _clone3(0)),
    ("fork-bomb", "four processes are made", _fork_bomb),
    ("execute-shell", "the shell is executed", lambda _: _execute(["/bin/sh", "-c", f"exit {EXECUTED}"])),
    ("execute-python", "Python is executed", lambda _: _execute(_python())),
    ("execute-by-loader", "Python is executed by the loader of programs", _execute_by_loader),
    ("execute-own-file", "a program in /tmp is executed", _execute_own_file),
    ("execute-memory", "a program in memory is executed", _execute_memory),
)

_MEMORY = _attacks(
    "memory",
    ("write-own-code", "this process's code is written over through a file", _write_own_code),
    ("reopen-input", "memory that is to be read only is opened to be written to", _reopen_input),
    ("map-input", "memory that is to be read only is mapped to be written to", _map_input),
    ("map-page-zero", "something is mapped where nothing must be", _map_page_zero),
    ("open-supervisor-memory", "the supervisor's memory is opened", _on_supervisor(_open_memory_of)),
    ("open-others-memory", "another process's memory is opened", _on_others(_open_memory_of)),
    ("read-supervisor-memory", "the supervisor's memory is read", _on_supervisor(_read_from)),
    ("write-supervisor-memory", "the supervisor's memory is written to", _on_supervisor(_write_to)),
    ("read-others-memory", "another process's memory is read", _on_others(_read_from)),
    ("advise-supervisor-memory", "the supervisor's memory is given up", _on_supervisor(_advise)),
    (
        "find-supervisor-pages",
        "it is asked on which node the supervisor's memory is",
        _on_supervisor(lambda pid: _of(_call(Call.MOVE_PAGES, pid, 0, 0, 0, 0, 0))),
    ),
    (
        "find-token-in-supervisor",
        "the token is found in the supervisor",
        lambda scene: _on_supervisor(lambda pid: _find_in(pid, scene.token))(scene),
    ),
    (
        "find-token-in-others",
        "the token is found in another process",
        lambda scene: _on_others(lambda pid: _find_in(pid, scene.token))(scene),
    ),
    ("find-token-in-shared-memory", "the token is found in shared memory", _find_in_shared),
    ("attach-shared-memory", "shared memory of System V is attached", _attach_segments),
    ("read-semaphores", "semaphores of System V are read", _read_semaphores),
    ("find-message-queues", "message queues of System V are found", _find_queues),
    ("open-shared-memory", "shared memory of POSIX is opened", lambda _: _open_any(_posix_segments(), os.O_RDONLY)),
    ("open-message-queues", "message queues of POSIX are opened", _open_posix_queues),
)

_PRIVILEGES = _attacks(
    "privileges",
    ("set-user", "another user is taken", lambda _: _as_thread(Call.SETUID, _other_identity(Call.GETUID))),
    ("set-group", "another group is taken", lambda _: _as_thread(Call.SETGID, _other_identity(Call.GETGID))),
    ("set-groups", "the further groups are changed", lambda _: _as_thread(Call.SETGROUPS, 0, 0)),
    ("raise-capabilities", "an administrator's right is taken", _raise_capabilities),
    ("raise-ambient-capabilities", "an administrator's right is kept for programs", _raise_ambient),
    ("set-securebits", "what root's rights are is changed", lambda _: _as_thread(Call.PRCTL, _SET_SECUREBITS, 1, 0, 0, 0)),
    ("make-dumpable", "this process can be looked into", _make_dumpable),
    ("outlive-supervisor", "this process stays when the supervisor ends", _outlive),
    # No address is that low, which the kernel says after it has looked at the caller's rights.
    (
        "move-own-marks",
        "it is changed where the kernel sees this process's parts",
        lambda _: _of_late(_call(Call.PRCTL, _SET_MM, 8, 1, 0, 0)),
    ),
    ("fix-addresses", "addresses are no longer drawn by chance", lambda _: _change_personality(0x0004_0000)),
    ("make-readable-executable", "what can be read can be executed", lambda _: _change_personality(0x0040_0000)),
    ("add-filter", "a filter of system calls is installed", lambda _: _own_filter(Call.SECCOMP, 1, 0)),
    ("add-filter-by-prctl", "a filter is installed by the older call", lambda _: _own_filter(Call.PRCTL, _SET_SECCOMP, 2)),
    (
        "add-filter-with-listener",
        "a filter is installed that this process answers for",
        lambda _: _own_filter(Call.SECCOMP, 1, 8),
    ),
    ("add-landlock-rights", "a ruleset of one's own gives more rights", _add_rights),
    ("raise-limits", "a limit of this process is raised", lambda _: _raise_limits(Call.PRLIMIT64)),
    ("raise-limits-by-setrlimit", "a limit is raised by the older call", lambda _: _raise_limits(Call.SETRLIMIT)),
    ("raise-priority", "a thread gets more of the processors", lambda _: _as_thread(Call.SETPRIORITY, 0, 0, -5)),
    (
        "run-in-real-time",
        "a thread runs before all others",
        lambda _: _as_thread(Call.SCHED_SETSCHEDULER, 0, 1, _buffer(struct.pack("=i", 1))),
    ),
    *((f"unshare-{kind}", f"a {kind} namespace is made", functools.partial(_unshare, kind)) for kind in _NAMESPACES),
    *(
        (f"enter-{kind}", f"another process's {kind} namespace is entered", functools.partial(_enter, kind))
        for kind in _NAMESPACES
    ),
    ("enter-by-pidfd", "namespaces are entered through a descriptor of a process", _on_supervisor(_enter_by_pidfd)),
    ("enter-own-by-pidfd", "that is tried with this process itself", lambda _: _enter_by_pidfd(os.getpid())),
    (
        "clone-namespaces",
        "a process in namespaces of its own is made",
        lambda _: _any(_of_clone(flag) for kind, flag in _NAMESPACES.items() if kind != "time"),
    ),
    (
        "clone3-namespaces",
        "that is done by the newest call",
        lambda _: _any(_clone3(flag) for flag in _NAMESPACES.values()),
    ),
    ("open-ports", "ports of the machine are opened", lambda _: _as_thread(Call.IOPERM, 0x80, 1, 1)),
    ("open-all-ports", "all ports of the machine are opened", lambda _: _as_thread(Call.IOPL, 3)),
)

_KERNEL = _attacks(
    "kernel",
    ("io-uring", "a queue of system calls is made", lambda _: _of_descriptor(_call(Call.IO_URING_SETUP, 1, _buffer(120)))),
    (
        "bpf-map",
        "memory in the kernel is made",
        lambda _: _of_descriptor(_call(Call.BPF, 0, _buffer(struct.pack("=IIII", 2, 4, 8, 1).ljust(64, b"\0")), 64)),
    ),
    ("bpf-program", "a program is loaded into the kernel", _load_program),
    ("count-events", "events of this process are counted", lambda _: _performance(0)),
    ("count-supervisor-events", "events of the supervisor are counted", _on_supervisor(_performance)),
    ("handle-faults", "page faults are handled", lambda _: _of_descriptor(_call(Call.USERFAULTFD, _CLOEXEC | 1))),
    ("find-keyring", "the user's keys are found", lambda _: _of(_call(Call.KEYCTL, 0, -4, 0), "a keyring")),
    ("add-key", "a key is kept in the kernel", _open_key),
    # That there is no such key is found out by looking.
    ("request-key", "the user's keys are searched", lambda _: _of_late(_call(Call.REQUEST_KEY, "user", "hotcell-attack", 0, 0))),
    # What is no module, and a module that is not there, are found out after the caller's rights.
    ("load-module", "a module is loaded into the kernel", lambda _: _of_late(_call(Call.INIT_MODULE, bytes(64), 64, ""))),
    ("load-module-file", "a module is loaded from a file", _load_module_file),
    (
        "unload-module",
        "a module is taken out of the kernel",
        lambda _: _of_late(_call(Call.DELETE_MODULE, "hotcell_none", os.O_NONBLOCK)),
    ),
    # So many segments, and such flags, are refused after the caller's rights.
    ("load-kernel", "another kernel is loaded", lambda _: _of_late(_call(Call.KEXEC_LOAD, 0, 17, 0, 0))),
    (
        "load-kernel-file",
        "another kernel is loaded from a file",
        lambda _: _of_late(_call(Call.KEXEC_FILE_LOAD, -1, -1, 0, 0, 1 << 30)),
    ),
    ("reboot", "the machine is started again", _reboot),
    # There are no such files, which is found out after the caller's rights.
    ("add-swap", "a file is used as memory", lambda _: _of_late(_call(Call.SWAPON, "/tmp/hotcell-none", 0))),
    ("remove-swap", "a file is no longer used as memory", lambda _: _of_late(_call(Call.SWAPOFF, "/tmp/hotcell-none"))),
    ("account", "all processes' ends are written down", lambda _: _of_late(_call(Call.ACCT, "/tmp/hotcell-none"))),
    ("set-time", "the machine's time is set", _set_time_zone),
    ("set-clock", "the machine's clock is set", _set_clock),
    ("adjust-clock", "the machine's clock is adjusted", lambda _: _adjust_clock(Call.ADJTIMEX)),
    ("adjust-clock-by-number", "a clock is adjusted", lambda _: _adjust_clock(Call.CLOCK_ADJTIME, time.CLOCK_REALTIME)),
    ("name-host", "the machine is given a name", _name_host),
    ("read-kernel-log", "the kernel's messages are read", _read_log),
    ("sync-quotas", "the disks' quotas are managed", lambda _: _of(_call(Call.QUOTACTL, 0x8000_0100, 0, 0, 0))),
    ("watch-file-systems", "whole file systems are watched", lambda _: _of_descriptor(_call(Call.FANOTIFY_INIT, 0x200 | 3, 0))),
    ("push-input", "a terminal is typed at", _push_input),
    ("write-descriptor-table", "a table of memory segments is made", _write_descriptor_table),
    (
        "code-opens-secret",
        "machine code opens a file of the supervisor's user",
        lambda scene: _of_reading(_by_code(Call.OPEN, scene.secret, 0, 0)),
    ),
    ("code-makes-socket", "machine code makes a socket", lambda _: _of_descriptor(_by_code(Call.SOCKET, _INET, _STREAM, 0))),
    ("code-makes-process", "machine code makes a process", _fork_by_code),
    (
        "x32-socket",
        "a socket is made by a number of the x32 programs",
        lambda _: _of_descriptor(_call(_X32 | Call.SOCKET, _UNIX, _STREAM, 0)),
    ),
    ("x32-open", "a file is opened by such a number", lambda scene: _of_reading(_call(_X32 | Call.OPEN, scene.secret, 0, 0))),
    (
        "i386-socket",
        "a socket is made the way of 32-bit programs",
        lambda _: _of_descriptor(_by_interrupt(_I386_SOCKET, _UNIX, _STREAM, 0)),
    ),
    ("i386-open", "a file is opened that way", lambda scene: _of_reading(_by_interrupt(_I386_OPEN, path=scene.secret))),
)

_CHANNEL = _attacks(
    "channel",
    ("inherited-directories", "a directory came along", lambda _: _found(lambda found: stat.S_ISDIR(found.status.st_mode))),
    (
        "inherited-sockets",
        "a socket came along besides the channel",
        lambda _: _found(lambda found: stat.S_ISSOCK(found.status.st_mode) and found.number != CHANNEL),
    ),
    ("inherited-files", "a file came along that can be written to", lambda _: _found(_is_file_outside)),
    ("inherited-devices", "a device came along", lambda _: _found(_is_device)),
    ("inherited-namespaces", "a namespace came along", lambda _: _found(lambda found: _is_namespace(found.number))),
    ("read-other-sockets", "what somebody else is sent is read", _peek),
    ("reach-peer", "the process at the channel's other end is reached", _peer_of_channel),
    ("find-network-of-channel", "the network namespace of a socket is taken", _namespace_of_sockets),
    ("find-token-in-descriptors", "the token is found in memory that came along", _find_in_descriptors),
)

#: All of them, by their groups.
ATTACKS: list[Attack] = [*_FILES, *_NETWORK, *_PROCESSES, *_MEMORY, *_PRIVILEGES, *_KERNEL, *_CHANNEL]

#: What may end this process where it is refused, or take its place where it is not, the likeliest last.
_LAST = [
    "code-opens-secret",
    "code-makes-socket",
    "fork",
    "clone",
    "clone-sharing-memory",
    "vfork",
    "clone3",
    "fork-bomb",
    "clone-namespaces",
    "clone3-namespaces",
    "code-makes-process",
    "unshare-user",
    "enter-user",
    "enter-time",
    "execute-own-file",
    "execute-memory",
    "execute-by-loader",
    "execute-python",
    "execute-shell",
    "x32-socket",
    "x32-open",
    "i386-socket",
    "i386-open",
]


def in_order() -> list[Attack]:
    """All attacks, those last that may end this process."""
    last = {name: at for at, name in enumerate(_LAST, 1)}
    return sorted(ATTACKS, key=lambda attack: last.get(attack.name, 0))


def attempt(name: str, scene: Scene) -> Result:
    """Make the attempt of that name.

    Raises:
        KeyError: There is none of that name.
    """
    for attack in ATTACKS:
        if attack.name == name:
            return _attempted(functools.partial(attack.attempt, scene))
    raise KeyError(f"there is no attack `{name}`")


def attempt_all(scene: Scene) -> list[tuple[str, Result]]:
    """Make all attempts, those last that may end this process."""
    return [(attack.name, _attempted(functools.partial(attack.attempt, scene))) for attack in in_order()]
