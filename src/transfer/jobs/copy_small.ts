// The quick way for the most frequent case: a small regular file under a private name, with calls that do not wait. It does what
// EntryWriter does, without the machinery for everything that can happen; where anything is unusual it takes back what it made
// and says so, and the general way does the file again. For 10,000 small files that is half of the processor's work.
import type { Bytes, Calls } from "../../posix/calls.ts";
import type { AttributeSupport } from "../../posix/content.ts";
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  STATX_ASKED,
} from "../../posix/libc.ts";
import { STATUS_BYTES, timesOf } from "../../posix/status.ts";
import { cString, EMPTY_NAME } from "../../posix/tree.ts";
import { beginsAsDatabase, mayBeDatabase } from "../database_files.ts";
import type { Entry } from "../entry.ts";
import type { CopySettings } from "./copy_settings.ts";
import { isOfOthers } from "./write_entry.ts";

/** Files that fit into one read. */
export const SMALL_BYTES = 256 * 1024;

const REGULAR = 0o100000;
const READ_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
const WRITE_FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

/** One for the isolate: calls that do not wait use it one after the other. One byte more shows that a file grew. */
const BUFFER: Bytes = new Uint8Array(SMALL_BYTES + 1);

/** Copies small files. */
export class SmallFileCopier {
  readonly #calls: Calls;
  readonly #settings: CopySettings;
  readonly #support: AttributeSupport;
  readonly #status: Bytes = new Uint8Array(STATUS_BYTES);
  readonly #statusView = new DataView(this.#status.buffer);
  /** For futimens(2); the time of access stays. */
  readonly #times: Bytes = timesOf(0, 0);
  readonly #timesView = new DataView(this.#times.buffer);
  readonly #names: Bytes = new Uint8Array(1024);

  constructor(settings: CopySettings, calls: Calls, support: AttributeSupport) {
    this.#settings = settings;
    this.#calls = calls;
    this.#support = support;
  }

  /**
   * Copies one file between two open directories, under a name that nothing has. False where it did not: then nothing has the
   * name that it has not had before.
   */
  copy(entry: Entry, from: number, to: number, newName: string): boolean {
    const calls = this.#calls;
    const name = cString(entry.name);
    const flags = entry.isFollowed ? READ_FLAGS : READ_FLAGS | O_NOFOLLOW;
    const source = calls.openat(from, name, flags, 0) as number;
    if (source < 0) return false;
    const length = this.#read(source, entry);
    const isDone = length >= 0 &&
      this.#write(to, newName === entry.name ? name : cString(newName), { source, entry, length });
    calls.closeHandle(source);
    return isDone;
  }

  /** Reads all of a file. Below zero where it is not what was planned. */
  #read(source: number, entry: Entry): number {
    const calls = this.#calls;
    const { sizeBytes } = entry;
    if (calls.pread(source, BUFFER, sizeBytes + 1, 0) !== sizeBytes) return -1;
    if (mayBeDatabase(sizeBytes) && beginsAsDatabase(BUFFER)) return -1;
    if (calls.statx(source, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, this.#status) !== 0) return -1;
    const view = this.#statusView;
    const isSame = (view.getUint16(28, true) & 0o170000) === REGULAR &&
      view.getUint32(40, true) === sizeBytes && view.getUint32(44, true) === 0 &&
      view.getInt32(116, true) * 0x100000000 + view.getUint32(112, true) === entry.mtimeSeconds &&
      view.getUint32(120, true) === entry.mtimeNanoseconds;
    return isSame ? sizeBytes : -1;
  }

  #write(
    to: number,
    name: Bytes,
    { source, entry, length }: { readonly source: number; readonly entry: Entry; readonly length: number },
  ): boolean {
    const calls = this.#calls;
    const { mode } = entry;
    const target = calls.openat(to, name, WRITE_FLAGS, mode & 0o777) as number;
    if (target < 0) return false;
    const isWritten = (length === 0 || calls.pwrite(target, BUFFER, length, 0) === length) &&
      this.#describe(target, { source, entry });
    // NFS tells write errors at close(2).
    if (calls.close(target) === 0 && isWritten) return true;
    calls.unlinkat(to, name, 0);
    return false;
  }

  /** Owner, mode and time; false where the file has attributes, which the general way copies. */
  #describe(target: number, { source, entry }: { readonly source: number; readonly entry: Entry }): boolean {
    const calls = this.#calls;
    const { owners, traits, umask } = this.#settings;
    // Attributes, more of them than the buffer takes, or an error: the general way copies them or says why not.
    if (this.#support.isWorthAsking && calls.flistxattr(source, this.#names) !== 0) return false;
    const isForeign = owners === "same" && isOfOthers(entry);
    if (isForeign && calls.fchown(target, entry.userId, entry.groupId) !== 0) return false;
    const { mode } = entry;
    const mayDiffer = (isForeign || (mode & (umask | 0o7000)) !== 0) && traits.modes === "kept";
    if (mayDiffer && calls.fchmod(target, mode) !== 0) return false;
    this.#timesView.setUint32(16, entry.mtimeSeconds >>> 0, true);
    this.#timesView.setInt32(20, Math.floor(entry.mtimeSeconds / 0x100000000), true);
    this.#timesView.setUint32(24, entry.mtimeNanoseconds, true);
    return calls.futimens(target, this.#times) === 0;
  }
}
