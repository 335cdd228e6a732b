// What a transfer has to work with: which programs there are, how long the file systems let it wait, where lists can lie.
import { findGnuFind } from "../tools/find.ts";
import { findRsync, type Rsync } from "../tools/rsync.ts";
import { findGnuTar } from "../tools/tar_pipe.ts";
import type { System } from "../system/system.ts";
import { encodeNameList } from "./names.ts";

/** A lookup that takes longer than this was answered by a server: then many at once pay. Local ones take 2 to 20 µs. */
const WAITING_MICROSECONDS = 100;

/** Operations in flight where they wait. Servers answer about 128 a client at once; Lustre clients send 8 a target. */
const WAITING_WIDTH = 32;

/** Programs, widths and a directory for lists; `await using` removes that. */
export interface Workplace extends AsyncDisposable {
  readonly find: string | undefined;
  readonly tar: string | undefined;
  readonly rsync: Rsync | undefined;
  /** How many operations to have in flight. */
  readonly width: number;
  /** Whether an operation on either side waits for a server. */
  readonly latency: "waits" | "local";
  /** Writes names into a file of its own, NUL-terminated, and returns its path. */
  writeList(names: readonly string[]): Promise<string>;
}

/** Looks at programs and both sides. Costs three lookups a side. */
export async function prepareWorkplace(roots: readonly string[], system: System): Promise<Workplace> {
  const [find, tar, rsync] = await Promise.all([findGnuFind(system), findGnuTar(system), findRsync(system)]);
  const lookups = roots.map((root) => lookupMicroseconds(root));
  const latency = Math.max(0, ...lookups) > WAITING_MICROSECONDS ? "waits" : "local";
  const directory = await Deno.makeTempDir({ prefix: "euler-files-" });
  let lists = 0;
  return {
    find,
    tar,
    rsync,
    latency,
    width: latency === "waits" ? WAITING_WIDTH : navigator.hardwareConcurrency,
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
