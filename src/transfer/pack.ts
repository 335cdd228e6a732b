// Packs a tree into one tar file, reading many files at a time: a single tar reads one file after the other, slow on a network.
import { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { rulesFor } from "./intent.ts";
import { joinName } from "../posix/file_names.ts";
import { findGnuTar, packListed } from "../tools/tar.ts";
import { EMPTY_MANIFEST } from "./manifest.ts";
import { Pool } from "../system/pool.ts";
import { walkTrees } from "./walk.ts";
import { type JobRunner, prepareJobRunner } from "./job_runner.ts";
import { ListFiles } from "./list_files.ts";

/** Names for one tar process. */
const PART_NAMES = 500;
const BLOCK_BYTES = 512;

/** Processes that read at a time where each operation waits for a server. */
const WAITING_PROGRAMS = 32;

/** What to pack. */
export interface PackRequest {
  /** The directory whose content is packed, absolute. Names in the archive begin with `./`. */
  readonly root: string;
  /** The archive to write, absolute; it must not be inside the root. Parts are made beside it and removed. */
  readonly archive: string;
  /** Links, by their paths relative to the root, that are not packed. */
  readonly leaveOut?: ReadonlySet<string>;
  readonly report?: (packed: { readonly files: number }) => void;
}

/** What was packed. */
export interface PackOutcome {
  /** Everything that is no directory. */
  readonly files: number;
  readonly sizeBytes: number;
  /** The size of the archive. */
  readonly archiveBytes: number;
}

/**
 * Packs a tree. Modes, times to the nanosecond, links and hard links are kept. Throws a CliError `transfer`, and removes the
 * archive, if anything could not be read or changed meanwhile: half an environment is useless.
 */
export async function packTree(request: PackRequest, system: System): Promise<PackOutcome> {
  await using runner = await prepareJobRunner({ roots: [request.root] }, system);
  const lists = new ListFiles(system);
  const packing = new Packing(request, { runner, lists, system });
  try {
    return await packing.run();
  } catch (error) {
    await Deno.remove(request.archive).catch(() => {});
    throw error;
  } finally {
    await packing.removeParts();
    await lists[Symbol.asyncDispose]();
  }
}

class Packing {
  readonly #parts: string[] = [];
  readonly #pool: Pool;
  readonly #stop = new AbortController();
  readonly #system: System;
  readonly #linked: string[] = [];
  #names: string[] = [];
  #files = 0;
  #sizeBytes = 0;

  constructor(
    readonly request: PackRequest,
    readonly context: { readonly runner: JobRunner; readonly lists: ListFiles; readonly system: System },
  ) {
    const { system, runner } = context;
    this.#system = { ...system, signal: AbortSignal.any([system.signal, this.#stop.signal]) };
    const width = runner.form === "waiting" ? WAITING_PROGRAMS : navigator.hardwareConcurrency;
    this.#pool = new Pool(width, (error) => this.#stop.abort(error));
  }

  async run(): Promise<PackOutcome> {
    const rules = rulesFor("compare");
    await walkTrees(
      { from: this.request.root, to: undefined, record: EMPTY_MANIFEST, rules },
      {
        onPlan: async (plan) => {
          const at = (name: string) => `./${joinName(plan.directory, name)}`;
          this.#names.push(...plan.makes.map(({ name }) => at(name)));
          for (const entry of plan.transfers) {
            if (this.request.leaveOut?.has(joinName(plan.directory, entry.name))) continue;
            this.#files++;
            this.#sizeBytes += entry.sizeBytes;
            this.#names.push(at(entry.name));
            if (this.#names.length >= PART_NAMES) await this.#packSome(this.#names.splice(0));
          }
          this.#linked.push(...plan.linked.map(({ from }) => at(from.name)));
        },
        onUnreadable: (directory, _side, reason) => {
          throw new CliError("transfer", `Cannot pack "${joinName(this.request.root, directory)}": ${reason}`);
        },
      },
      this.context.runner,
    );
    await this.#packSome(this.#names);
    // All names of a file go into one part, or the file would be packed once for each name.
    await this.#packSome(this.#linked);
    await this.#pool.settle();
    this.#files += this.#linked.length;
    const archiveBytes = await this.#join();
    return { files: this.#files, sizeBytes: this.#sizeBytes, archiveBytes };
  }

  async #packSome(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const part = `${this.request.archive}.part${this.#parts.length}`;
    this.#parts.push(part);
    await this.#pool.start(async () => {
      // Each part ends with the root: a header without content, so that all zeros after it are the end of the archive.
      const listFile = await this.context.lists.write([...names, "."]);
      const program = findGnuTar(this.#system);
      if (program === undefined) throw new CliError("missing-tool", "Cannot pack: GNU tar was not found on the PATH");
      const { code, stderrTail } = await packListed(
        { program, from: this.request.root, listFile, archive: part },
        this.#system,
      );
      if (code !== 0) {
        throw new CliError("transfer", `Cannot pack "${this.request.root}": not everything could be read`, {
          lines: stderrTail,
        });
      }
      this.request.report?.({ files: this.#files });
    });
  }

  /** Concatenates the parts, without the zeros that end each. */
  async #join(): Promise<number> {
    using archive = await Deno.open(this.request.archive, { write: true, create: true, truncate: true, mode: 0o600 });
    let archiveBytes = 0;
    for (const path of this.#parts) {
      using part = await Deno.open(path);
      const length = await lengthWithoutEnd(part);
      await part.seek(0, Deno.SeekMode.Start);
      const buffer = new Uint8Array(1024 * 1024);
      for (let left = length; left > 0;) {
        const piece = buffer.subarray(0, Math.min(buffer.length, left));
        await readWhole(part, piece);
        await writeWhole(archive, piece);
        left -= piece.length;
      }
      archiveBytes += length;
      await Deno.remove(path);
    }
    await writeWhole(archive, new Uint8Array(2 * BLOCK_BYTES));
    return archiveBytes + 2 * BLOCK_BYTES;
  }

  async removeParts(): Promise<void> {
    for (const part of this.#parts) await Deno.remove(part).catch(() => {});
  }
}

/** Reads from a part until the buffer is full. Throws a CliError `transfer` if the part is shorter than its size said. */
export async function readWhole(part: Pick<Deno.FsFile, "read">, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const read = await part.read(bytes.subarray(done));
    if (read === null) {
      throw new CliError("transfer", "Cannot pack: a part of the archive became shorter while it was read");
    }
    done += read;
  }
}

async function writeWhole(archive: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await archive.write(bytes.subarray(written));
}

/** Where the zero blocks at the end of a part begin. */
async function lengthWithoutEnd(part: Deno.FsFile): Promise<number> {
  let end = (await part.stat()).size;
  const window = new Uint8Array(64 * 1024);
  while (end > 0) {
    const start = Math.max(0, end - window.length);
    await part.seek(start, Deno.SeekMode.Start);
    const piece = window.subarray(0, end - start);
    await readWhole(part, piece);
    const last = piece.findLastIndex((byte) => byte !== 0);
    if (last !== -1) return start + Math.ceil((last + 1) / BLOCK_BYTES) * BLOCK_BYTES;
    end = start;
  }
  return 0;
}
