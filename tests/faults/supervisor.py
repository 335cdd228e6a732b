"""Runs a command and does something at its N-th system call below a directory, counted over all its threads and children.

A seccomp filter makes the kernel ask this process before each watched call (seccomp_unotify(2), Linux 5.9 or newer), so the
calls of the runtime, of Workers and of programs that the command starts are seen like those by FFI. strace can't do that: its
`when=N` counts for each thread.

usage: supervisor.py --root DIR --log FILE [--at N] [--act none|kill|kill-one|torn|ERRNO] [--watch changes,reads,closes]
                     [--seconds S] -- COMMAND...
The log has a line for each counted call. The exit code is that of the command; 137 where it was killed here, 124 where it did
not end in time, 99 where the kernel refuses the filter.
"""
import argparse, ctypes, errno, fcntl, os, platform, select, signal, socket, stat, struct, sys, time

# For each call its number on x86-64 and on aarch64 (None: it has none), its class, and the arguments that name files: a number
# is an open file, a pair an open directory and a name, (None, n) a name alone.
CALLS = {
    "write": (1, 64, "changes", [0]), "pwrite64": (18, 68, "changes", [0]), "writev": (20, 66, "changes", [0]),
    "copy_file_range": (326, 285, "changes", [2]), "sendfile": (40, 71, "changes", [0]),
    "ftruncate": (77, 46, "changes", [0]), "fallocate": (285, 47, "changes", [0]),
    "fsync": (74, 82, "changes", [0]), "fdatasync": (75, 83, "changes", [0]), "syncfs": (306, 267, "changes", [0]),
    "rename": (82, None, "changes", [(None, 0), (None, 1)]), "renameat": (264, 38, "changes", [(0, 1), (2, 3)]),
    "renameat2": (316, 276, "changes", [(0, 1), (2, 3)]),
    "link": (86, None, "changes", [(None, 0), (None, 1)]), "linkat": (265, 37, "changes", [(0, 1), (2, 3)]),
    "symlink": (88, None, "changes", [(None, 1)]), "symlinkat": (266, 36, "changes", [(1, 2)]),
    "unlink": (87, None, "changes", [(None, 0)]), "unlinkat": (263, 35, "changes", [(0, 1)]),
    "rmdir": (84, None, "changes", [(None, 0)]),
    "mkdir": (83, None, "changes", [(None, 0)]), "mkdirat": (258, 34, "changes", [(0, 1)]),
    "mknodat": (259, 33, "changes", [(0, 1)]),
    "chmod": (90, None, "changes", [(None, 0)]), "fchmod": (91, 52, "changes", [0]), "fchmodat": (268, 53, "changes", [(0, 1)]),
    "fchown": (93, 55, "changes", [0]), "fchownat": (260, 54, "changes", [(0, 1)]), "lchown": (94, None, "changes", [(None, 0)]),
    "utimensat": (280, 88, "changes", [(0, 1)]), "fsetxattr": (190, 7, "changes", [0]),
    "openat": (257, 56, "opens", [(0, 1)]), "open": (2, None, "opens", [(None, 0)]),
    "read": (0, 63, "reads", [0]), "pread64": (17, 67, "reads", [0]), "getdents64": (217, 61, "reads", [0]),
    "statx": (332, 291, "reads", [(0, 1)]), "newfstatat": (262, 79, "reads", [(0, 1)]), "lstat": (6, None, "reads", [(None, 0)]),
    "stat": (4, None, "reads", [(None, 0)]), "readlinkat": (267, 78, "reads", [(0, 1)]),
    "readlink": (89, None, "reads", [(None, 0)]),
    "close": (3, 57, "closes", [0]), "flock": (73, 32, "changes", [0]),
}
MACHINE = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
SECCOMP, PIDFD_GETFD = [(317, 438), (277, 438)][MACHINE or 0]
RECEIVE, SEND, CONTINUE = 0xC0502100, 0xC0182101, 1
AT_FDCWD = -100
OPEN_FLAGS_AT = {"openat": 2, "open": 1}
libc = ctypes.CDLL(None, use_errno=True)


def watched(classes):
    wanted = set(classes.split(","))
    found = {}
    for name, (x86, arm, kind, files) in CALLS.items():
        number = (x86, arm)[MACHINE]
        asked = kind in wanted or kind == "opens" and wanted & {"changes", "reads"}
        if number is not None and asked: found[number] = (name, kind, files)
    return found, wanted


def install_filter(numbers):
    """Answers with the handle on which the kernel asks."""
    load, ret, jump = 0x20, 0x06, 0x15
    program = [struct.pack("HBBI", load, 0, 0, 0)]
    for number in numbers:
        program.append(struct.pack("HBBI", jump, 0, 1, number))
        program.append(struct.pack("HBBI", ret, 0, 0, 0x7FC00000))
    program.append(struct.pack("HBBI", ret, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    libc.prctl(38, 1, 0, 0, 0)
    return libc.syscall(SECCOMP, 1, 8, ctypes.create_string_buffer(header))


def start(command, numbers):
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        os.setsid()
        listener = install_filter(numbers)
        if listener < 0: os._exit(99)
        socket.send_fds(there, [b"x"], [listener])
        os.execvp(command[0], command)
    there.close()
    _, handles, _, _ = socket.recv_fds(here, 1, 1)
    if not handles: sys.exit(99)
    return child, handles[0]


def text_at(memory, address):
    out = b""
    while len(out) < 4096:
        piece = os.pread(memory, 256 - (address + len(out)) % 256, address + len(out))
        if not piece: break
        out += piece
        if b"\0" in piece: return out[: out.index(b"\0")]
    return out


def path_of(task, place, args):
    signed = lambda index: ctypes.c_int(args[index] & 0xFFFFFFFF).value
    link = lambda number: os.readlink(f"/proc/{task}/cwd" if number == AT_FDCWD else f"/proc/{task}/fd/{number}").encode()
    if isinstance(place, int): return link(signed(place))
    directory, name = place
    memory = os.open(f"/proc/{task}/mem", os.O_RDONLY)
    try: text = text_at(memory, args[name]) if args[name] else b""
    finally: os.close(memory)
    if text.startswith(b"/"): return text
    base = link(AT_FDCWD if directory is None else signed(directory))
    return base + b"/" + text if text not in (b"", b".") else base


def is_directory(task, number):
    try: return stat.S_ISDIR(os.stat(f"/proc/{task}/fd/{number & 0xFFFFFFFF}").st_mode)
    except OSError: return False


def process_of(task):
    with open(f"/proc/{task}/status") as status:
        for line in status:
            if line.startswith("Tgid:"): return int(line.split()[1])
    return task


def write_half(task, name, args):
    """Does half of a write for the process, as a crash in the middle of one leaves it."""
    half = args[2] // 2
    memory = os.open(f"/proc/{task}/mem", os.O_RDONLY)
    data = os.pread(memory, half, args[1])
    os.close(memory)
    process = os.pidfd_open(process_of(task))
    handle = libc.syscall(PIDFD_GETFD, process, ctypes.c_int(args[0] & 0xFFFFFFFF).value, 0)
    if handle < 0: return
    os.write(handle, data) if name == "write" else os.pwrite(handle, data, args[3])
    os.close(handle)
    os.close(process)


def kill_all(child):
    """As a node that fails: the command and all that it started, wherever they moved to."""
    while True:
        try: os.killpg(child, signal.SIGKILL)
        except ProcessLookupError: pass
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            left = [int(word) for word in children.read().split()]
        for one in left:
            try: os.kill(one, signal.SIGKILL)
            except ProcessLookupError: pass
        try:
            while os.waitpid(-1, 0): pass
        except ChildProcessError: return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--at", type=int, default=-1)
    parser.add_argument("--act", default="none")
    parser.add_argument("--watch", default="changes")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if MACHINE is None: sys.exit(99)
    calls, wanted = watched(options.watch)
    root = options.root.encode()
    libc.prctl(36, 1, 0, 0, 0)
    child, listener = start(options.command, list(calls))
    log = open(options.log, "w", errors="surrogateescape")
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    end = time.monotonic() + options.seconds
    question, count = bytearray(80), 0
    killed_one = False
    while True:
        events = poll.poll(20)
        if not events or events[0][1] & (select.POLLHUP | select.POLLERR) or count % 64 == 0:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                break
        if time.monotonic() > end:
            code = 124
            break
        if not events: continue
        if not events[0][1] & select.POLLIN:
            time.sleep(0.001)
            continue
        question[:] = bytes(80)
        try: fcntl.ioctl(listener, RECEIVE, question)
        except OSError: continue
        identity, task, _, number, _, _, *args = struct.unpack("=QIIiIQ6Q", question)
        name, kind, places = calls[number]
        if kind == "opens":
            changes = args[OPEN_FLAGS_AT[name]] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            kind = "changes" if changes else "reads"
        answer = struct.pack("=QqiI", identity, 0, 0, CONTINUE)
        paths = []
        # The kernel has nothing to report when a directory is closed, and Rust's library ends the thread if it did.
        if kind == "closes" and is_directory(task, args[0]): kind = "none"
        if kind in wanted:
            try: paths = [path_of(task, place, args) for place in places]
            except OSError: paths = []
        if any(path == root or path.startswith(root + b"/") for path in paths):
            print(count, name, " -> ".join(os.fsdecode(path) for path in paths), file=log)
            if count == options.at:
                log.flush()
                if options.act in ("kill", "torn"):
                    if options.act == "torn" and name in ("write", "pwrite64") and args[2] > 1: write_half(task, name, args)
                    kill_all(child)
                    sys.exit(137)
                elif options.act == "kill-one":
                    # Children live on, and the kernel lets their calls pass only while this process answers.
                    os.kill(child, signal.SIGKILL)
                    killed_one = True
                elif options.act != "none":
                    answer = struct.pack("=QqiI", identity, 0, -getattr(errno, options.act), 0)
            count += 1
        try: fcntl.ioctl(listener, SEND, answer)
        except OSError: pass
    log.close()
    kill_all(child)
    sys.exit(137 if killed_one else code if code >= 0 else 128 - code)


main()
