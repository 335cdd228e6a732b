// What a transfer has to work with: which programs there are, how long the file systems let it wait, where lists can lie.
import { findGnuFind } from "../tools/find.ts";
import { findRsync, probeRsync, type Rsync } from "../tools/rsync.ts";
import { findGnuTar } from "../tools/tar_pipe.ts";
import { CliError, messageOf } from "../errors.ts";
import type { System } from "../system/system.ts";
import type { Entry } from "./entry.ts";
import { encodeNameList } from "../system/file_names.ts";

/** A lookup that takes longer than this was answered by a server: then many at once pay. Local ones take 2 to 20 µs. */
const WAITING_MICROSECONDS = 100;

/** Operations in flight where they wait. Servers answer about 128 a client at once; Lustre clients send 8 a target. */
const WAITING_WIDTH = 32;

/** Programs, widths and a directory for lists; `await using` removes that. */
export interface Workplace extends AsyncDisposable {
  readonly find: string | undefined;
  readonly tar: string | undefined;
  readonly hasRsync: boolean;
  /** The rsync, where there is one; asks for its version once. Throws a CliError where it doesn't run. */
  rsync(): Promise<Rsync>;
  /** How many operations to have in flight. */
  readonly width: number;
  /** Whether an operation on either side waits for a server. */
  readonly latency: "waits" | "local";
  /** Whether tar has to set owners: only root can, and only for what isn't root's own anyway. */
  ownersOf(entries: readonly Pick<Entry, "userId" | "groupId">[]): "same" | "own";
  /** Writes names into a file of its own, NUL-terminated, and returns its path. */
  writeList(names: readonly string[]): Promise<string>;
}

/** Looks at programs and both sides. Costs three lookups a side. */
export async function prepareWorkplace(roots: readonly string[], system: System): Promise<Workplace> {
  const rsyncProgram = findRsync(system);
  let rsync: Promise<Rsync> | undefined;
  const lookups = roots.map((root) => lookupMicroseconds(root));
  const latency = Math.max(0, ...lookups) > WAITING_MICROSECONDS ? "waits" : "local";
  const directory = await makeListDirectory();
  let lists = 0;
  return {
    find: findGnuFind(system),
    tar: findGnuTar(system),
    hasRsync: rsyncProgram !== undefined,
    rsync() {
      if (rsyncProgram === undefined) throw new Error("rsync is used only where it was found");
      return rsync ??= probeRsync(rsyncProgram, system);
    },
    latency,
    width: latency === "waits" ? WAITING_WIDTH : navigator.hardwareConcurrency,
    ownersOf(entries) {
      const isForeign = system.userId === 0 && entries.some(({ userId, groupId }) => userId !== 0 || groupId !== 0);
      return isForeign ? "same" : "own";
    },
    async writeList(names) {
      const path = `${directory}/${lists++}`;
      await Deno.writeFile(path, encodeNameList(names), { mode: 0o600 });
      return path;
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(directory, { recursive: true }).catch(() => {});
    },
  };
}

/** In $TMPDIR, or where a job's TMPDIR isn't there, in /tmp. */
async function makeListDirectory(): Promise<string> {
  const prefix = "euler-files-";
  try {
    return await Deno.makeTempDir({ prefix }).catch(() => Deno.makeTempDir({ prefix, dir: "/tmp" }));
  } catch (error) {
    throw new CliError("file-system", `Cannot make a temporary directory in $TMPDIR or /tmp: ${messageOf(error)}`, {
      hint: "export TMPDIR=DIRECTORY, with a directory of this node that you can write",
      cause: error,
    });
  }
}

/** The quickest of three lookups of names nobody has: a client cannot answer those from its cache. */
function lookupMicroseconds(root: string): number {
  const times: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const name = `${root}/.euler-files-${crypto.randomUUID().slice(0, 8)}`;
    const started = performance.now();
    try {
      Deno.lstatSync(name);
    } catch {
      // Not there, as expected: how long that took is the answer.
    }
    times.push((performance.now() - started) * 1000);
  }
  return Math.min(...times);
}
