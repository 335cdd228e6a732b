// The files of an SQLite database, as its documentation describes them: `X`, and beside it `X-wal` or `X-journal`, which hold
// what is not in `X` yet or what `X` held before (walformat, fileformat2 3 and 4, sqlite.org), and `X-shm`, memory that the
// processes of one node share.
import type { Bytes, Calls } from "../posix/calls.ts";
import type { Work } from "../posix/work.ts";
import type { Entry } from "./entry.ts";

/** The files of a database besides its main file, in the order in which they are written. */
const LOGS = ["-wal", "-journal"] as const;

/** The index of a log. It is never moved: the first program that opens the database creates it. */
export const INDEX = "-shm";

/** What the first bytes of a file identify it as. */
export type DatabaseFile = "database" | "log" | "index";

/** How many first bytes identify a file. */
export const MAGIC_BYTES = 16;

/** The smallest page size of a main file, which consists of whole pages. */
const SMALLEST_PAGE = 512;

const TEXT = new TextDecoder("latin1");

/** Whether a file of that size can be the main file of a database. */
export function mayBeDatabase(sizeBytes: number): boolean {
  return sizeBytes > 0 && sizeBytes % SMALLEST_PAGE === 0;
}

/** Whether a file begins as the main file of a database does. */
export function beginsAsDatabase(bytes: Uint8Array): boolean {
  // Comparing the first byte rules out nearly all other files.
  return bytes[0] === 0x53 && TEXT.decode(bytes.subarray(0, MAGIC_BYTES)) === "SQLite format 3\0";
}

/** The kind of database file that the first bytes identify. */
export function kindOfDatabaseFile(bytes: Uint8Array): DatabaseFile | undefined {
  if (bytes.length < MAGIC_BYTES) return undefined;
  if (beginsAsDatabase(bytes)) return "database";
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [first, second] = [view.getUint32(0), view.getUint32(4)];
  if (first === 0x377f0682 || first === 0x377f0683) return "log";
  if (first === 0xd9d505f9 && second === 0x20a163d7) return "log";
  // The version of the index, in the byte order of the node.
  return view.getUint32(0, true) === 3007000 ? "index" : undefined;
}

/** Whether an open file is the main file of a database. */
export function* isDatabase(calls: Calls, file: number, sizeBytes: number): Work<boolean> {
  if (!mayBeDatabase(sizeBytes)) return false;
  const bytes: Bytes = new Uint8Array(MAGIC_BYTES);
  return (yield calls.pread(file, bytes, MAGIC_BYTES, 0)) === MAGIC_BYTES && beginsAsDatabase(bytes);
}

/** The main file that a name would belong to as a log or an index. */
export function mainNameOf(name: string): string | undefined {
  const suffix = [...LOGS, INDEX].find((suffix) => name.endsWith(suffix));
  return suffix === undefined || suffix === name ? undefined : name.slice(0, -suffix.length);
}

/** The names of a database that are moved, the main file first. */
export function namesOfDatabase(name: string): string[] {
  return [name, ...LOGS.map((suffix) => name + suffix)];
}

/** Whether a file has one name and no followed link: else SQLite may keep its log beside another name, unknown to us. */
export function isPlainFile({ linkGroup, isBehindLink }: Entry): boolean {
  return linkGroup === "" && isBehindLink !== true;
}

/** A file that was to be copied on its own is a database, and has to be copied with its logs. */
export class DatabaseFound extends Error {
  override readonly name = "DatabaseFound";
}
