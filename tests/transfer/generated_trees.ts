// Trees that fast-check makes, with names, types, modes and times that copies get wrong, and changes of such trees.
import fc from "../support/fast_check.ts";
import { shell } from "./trees.ts";

/** One entry to make below a root; it replaces what exists at its path. */
export interface MadeEntry {
  /** Names as bytes in hexadecimal, outermost first. */
  readonly path: readonly string[];
  readonly kind: "file" | "directory" | "link" | "fifo" | "other name" | "nothing";
  readonly sizeBytes: number;
  readonly layout: "full" | "holes";
  readonly mode: number;
  /** Nanoseconds since 1970, as a decimal number. */
  readonly mtime: string;
  /** The target of a link, bytes in hexadecimal. */
  readonly linkTarget: string;
}

const hex = (name: string | Uint8Array) => (typeof name === "string" ? new TextEncoder().encode(name) : name).toHex();

const NAMES = [
  ...[
    "a",
    "b",
    "dir",
    "-dash",
    " sp ace ",
    "new\nline",
    "tab\t",
    "quo'te\"`$x",
    "back\\slash\\b",
    "\x01\x7f",
    "ü",
    "e\u0301",
  ],
  ...["*?[a]", "#hash#", "~", "...", ".hidden", "a.~1~", "x".repeat(255)],
].map(hex).concat([Uint8Array.of(0xff, 0xfe), Uint8Array.of(97, 0x80, 98)].map(hex));
const TARGETS = ["nowhere", "a", "../b", "/etc", "dir//", "//a//b//", "new\nline", "."].map(hex).concat(
  hex(Uint8Array.of(0xff)),
);
const TIMES = [
  "-631152000123456789",
  "-1",
  "0",
  "1000000001",
  "1600000000500000000",
  "1600000000500000001",
  "4102444800999999999",
];

const entry: fc.Arbitrary<MadeEntry> = fc.record({
  path: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
  kind: fc.constantFrom("file", "file", "file", "directory", "link", "fifo", "other name"),
  sizeBytes: fc.constantFrom(0, 1, 511, 4096, 70_000),
  layout: fc.constantFrom("full", "full", "holes"),
  mode: fc.constantFrom(0o644, 0o600, 0o444, 0o755, 0o4755, 0o555, 0o1777, 0o000),
  mtime: fc.constantFrom(...TIMES),
  linkTarget: fc.constantFrom(...TARGETS),
});

/** What to make in an empty root. */
export const tree: fc.Arbitrary<readonly MadeEntry[]> = fc.array(entry, { minLength: 1, maxLength: 40 });

/** Changes to make afterwards: other entries under the same names, and removals. */
export const changes: fc.Arbitrary<readonly MadeEntry[]> = fc.array(
  fc.oneof({ arbitrary: entry, weight: 3 }, {
    arbitrary: entry.map((one) => ({ ...one, kind: "nothing" as const })),
    weight: 1,
  }),
  { maxLength: 20 },
);

// The content follows from size and time, so entries that look equal are equal, as every quick comparison assumes. Only
// root can read files and enter directories without permission; for other users the bits are added.
const MAKER = `
import json, os, shutil, sys
root, keep_types, entries = os.fsencode(sys.argv[1]), sys.argv[2] == "keep", json.load(sys.stdin)
files, later = [], []
needed = {"file": 0, "directory": 0} if os.geteuid() == 0 else {"file": 0o400, "directory": 0o700}
def clear(path):
    if os.path.islink(path) or not os.path.isdir(path):
        if os.path.lexists(path): os.remove(path)
    else: shutil.rmtree(path)
def kind_of(path):
    if os.path.islink(path): return "link"
    if os.path.isdir(path): return "directory"
    return "file" if os.path.isfile(path) else "fifo"
for entry in entries:
    names = [bytes.fromhex(name) for name in entry["path"]]
    parent = os.path.join(root, *names[:-1])
    path = os.path.join(parent, names[-1])
    kind, time = entry["kind"], int(entry["mtime"])
    if not all(os.path.isdir(os.path.join(root, *names[:n])) and not os.path.islink(os.path.join(root, *names[:n])) or not os.path.lexists(os.path.join(root, *names[:n])) for n in range(1, len(names))): continue
    if keep_types and os.path.lexists(path) and (kind != "file" or kind_of(path) != "file"): continue
    if kind == "nothing":
        if os.path.lexists(path): clear(path)
        continue
    os.makedirs(parent, exist_ok=True)
    if kind == "directory":
        if os.path.lexists(path) and kind_of(path) != kind: clear(path)
        os.makedirs(path, exist_ok=True)
        later.append((path, (entry["mode"] or 0o700) | needed["directory"], time))
        continue
    if os.path.lexists(path): clear(path)
    if kind == "other name":
        others = [file for file in files if os.path.isfile(file) and not os.path.islink(file)]
        if not others: continue
        os.link(others[len(names[-1]) % len(others)], path)
        continue
    if kind == "link":
        os.symlink(bytes.fromhex(entry["linkTarget"]), path)
        os.utime(path, ns=(time, time), follow_symlinks=False)
        continue
    if kind == "fifo": os.mkfifo(path)
    else:
        with open(path, "wb") as file:
            size = entry["sizeBytes"]
            if entry["layout"] == "holes":
                size += 300000
                file.truncate(size)
            else: file.write((str(time % 1000003).encode() * size)[:size])
        files.append(path)
    os.chmod(path, entry["mode"] | needed["file"])
    os.utime(path, ns=(time, time))
for path, mode, time in reversed(later):
    if os.path.isdir(path) and not os.path.islink(path):
        os.chmod(path, mode)
        os.utime(path, ns=(time, time))
`;

/** Makes the entries below a root. With `keep-types` an existing entry is replaced only if both are files. */
export async function makeEntries(
  root: string,
  entries: readonly MadeEntry[],
  way: "replace" | "keep-types" = "replace",
): Promise<void> {
  const child = new Deno.Command("python3", {
    args: ["-c", MAKER, root, way === "replace" ? "replace" : "keep"],
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(entries)));
  await writer.close();
  const { success, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Removes everything below a root, even if modes forbid it. */
export async function emptyRoot(root: string): Promise<void> {
  await shell(`rm -rf ${root}; mkdir ${root}`);
}
