// Makes, copies and describes directory trees in a Python process that runs as long as the tests. It is independent of
// the code under test, handles names as bytes and asks the kernel itself.

/** One name as the judge sees it. */
export interface Seen {
  readonly kind: "file" | "directory" | "link" | "special";
  readonly mode: number;
  /** Nanoseconds since 1970 as a decimal number. */
  readonly mtime: string;
  /** Digest of the content without its zeros, or the target of a link. */
  readonly content: string;
  /** The first of several names of one file; empty for a file with one name. */
  readonly sameAs: string;
}

/** Names relative to a root, which is the empty string; bytes that are not UTF-8 are surrogates. */
export type Snapshot = Readonly<Record<string, Seen>>;

const PROGRAM = `
import hashlib, json, os, shutil, stat, sys
PIECE = 65536

def pieces(path):
    size = os.lstat(path).st_size
    with open(path, "rb", buffering=0) as file:
        at = 0
        while at < size:
            try: at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError: return
            end = min(size, os.lseek(file.fileno(), at, os.SEEK_HOLE))
            at -= at % PIECE
            while at < end:
                yield at, os.pread(file.fileno(), PIECE, at)
                at += PIECE

def digest(path):
    sum = hashlib.sha256()
    for at, bytes in pieces(path):
        if bytes.count(0) < len(bytes): sum.update(b"%d:%d:" % (at, len(bytes)) + bytes)
    return "%d %s" % (os.lstat(path).st_size, sum.hexdigest()[:16])

def walk(root):
    yield b"", root
    for directory, directories, files in os.walk(root):
        for name in sorted(directories + files):
            path = os.path.join(directory, name)
            yield os.path.relpath(path, root), path

def describe(root):
    seen, names = {}, {}
    if not os.path.lexists(root): return seen
    for name, path in walk(root):
        state = os.lstat(path)
        mode, kind, content = stat.S_IMODE(state.st_mode), "special", ""
        if stat.S_ISDIR(state.st_mode): kind = "directory"
        elif stat.S_ISLNK(state.st_mode): kind, mode, content = "link", 0, os.fsdecode(os.readlink(path))
        elif stat.S_ISREG(state.st_mode): kind, content = "file", digest(path)
        same = ""
        if kind == "file" and state.st_nlink > 1: same = names.setdefault(state.st_ino, os.fsdecode(name))
        seen[os.fsdecode(name)] = dict(kind=kind, mode=mode, mtime=str(state.st_mtime_ns), content=content, sameAs=same)
    return seen

def remove(root):
    if not os.path.lexists(root): return
    for _, path in walk(root):
        if stat.S_ISDIR(os.lstat(path).st_mode): os.chmod(path, 0o700)
    shutil.rmtree(root)

# Directories that both have stay the same ones: a source with another inode counts as another directory.
def clear(target, kept):
    if not os.path.lexists(target): return
    for _, path in walk(target):
        if stat.S_ISDIR(os.lstat(path).st_mode): os.chmod(path, 0o700)
    for name, path in reversed(list(walk(target))):
        if not stat.S_ISDIR(os.lstat(path).st_mode): os.unlink(path)
        elif name not in kept: os.rmdir(path)

def copy(source, target):
    clear(target, {name for name, path in walk(source) if stat.S_ISDIR(os.lstat(path).st_mode)})
    links, directories = {}, []
    for name, path in walk(source):
        state, to = os.lstat(path), os.path.join(target, name) if name else target
        if state.st_nlink > 1 and not stat.S_ISDIR(state.st_mode):
            if state.st_ino in links:
                os.link(links[state.st_ino], to)
                continue
            links[state.st_ino] = to
        if stat.S_ISDIR(state.st_mode):
            if not os.path.isdir(to): os.mkdir(to)
            directories.append((to, state))
            continue
        if stat.S_ISLNK(state.st_mode): os.symlink(os.readlink(path), to)
        elif stat.S_ISREG(state.st_mode):
            with open(to, "wb", buffering=0) as file:
                for at, bytes in pieces(path): os.pwrite(file.fileno(), bytes, at)
                file.truncate(state.st_size)
            os.chmod(to, stat.S_IMODE(state.st_mode))
        else: os.mkfifo(to, stat.S_IMODE(state.st_mode))
        os.utime(to, ns=(state.st_mtime_ns, state.st_mtime_ns), follow_symlinks=False)
    for to, state in reversed(directories):
        os.chmod(to, stat.S_IMODE(state.st_mode))
        os.utime(to, ns=(state.st_mtime_ns, state.st_mtime_ns))

for line in sys.stdin:
    order = json.loads(line)
    answer = None
    try:
        paths = [os.fsencode(path) for path in order["paths"]]
        answer = dict(result={"describe": describe, "copy": copy, "remove": remove}[order["do"]](*paths))
    except Exception as error: answer = dict(error=repr(error))
    print(json.dumps(answer), flush=True)
`;

/** The judge; `await using` ends its process. */
export class Judge implements AsyncDisposable {
  readonly #child = new Deno.Command("python3", { args: ["-c", PROGRAM], stdin: "piped", stdout: "piped" }).spawn();
  readonly #writer = this.#child.stdin.getWriter();
  readonly #reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  #rest = "";

  /** The entries below a root; empty if the root does not exist. */
  async describe(root: string): Promise<Snapshot> {
    return await this.#ask("describe", [root]) as Snapshot;
  }

  /** Makes `to` an exact copy of `from`. */
  async copy(from: string, to: string): Promise<void> {
    await this.#ask("copy", [from, to]);
  }

  async remove(root: string): Promise<void> {
    await this.#ask("remove", [root]);
  }

  async #ask(order: string, paths: readonly string[]): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ do: order, paths })}\n`));
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the judge has ended");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const { result, error } = JSON.parse(this.#rest.slice(0, end));
    this.#rest = this.#rest.slice(end + 1);
    if (error !== undefined) throw new Error(`${order} ${paths.join(" ")}: ${error}`);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }
}
