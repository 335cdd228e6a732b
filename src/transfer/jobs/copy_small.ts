// A fast path for the most frequent case: a small regular file under a private name, with calls that do not wait. It does the
// work of EntryWriter without handling what can go wrong: if anything is unusual, it removes what it made and returns false,
// and EntryWriter copies the file. For 10,000 small files this halves the processor time.
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

/** The largest size of a file that is read at once. */
export const SMALL_BYTES = 256 * 1024;

const REGULAR = 0o100000;
const READ_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
const WRITE_FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

/** One buffer for the isolate, since plain calls run one after the other. One more byte shows that a file grew. */
const BUFFER: Bytes = new Uint8Array(SMALL_BYTES + 1);

/** Copies small files. */
export class SmallFileCopier {
  readonly #calls: Calls;
  readonly #settings: CopySettings;
  readonly #support: AttributeSupport;
  readonly #status: Bytes = new Uint8Array(STATUS_BYTES);
  readonly #statusView = new DataView(this.#status.buffer);
  /** For futimens(2); the access time is kept. */
  readonly #times: Bytes = timesOf(0, 0);
  readonly #timesView = new DataView(this.#times.buffer);
  readonly #names: Bytes = new Uint8Array(1024);

  constructor(settings: CopySettings, calls: Calls, support: AttributeSupport) {
    this.#settings = settings;
    this.#calls = calls;
    this.#support = support;
  }

  /**
   * Copies one file between two open directories, under a name that does not exist. False if it did not copy; then the
   * name does not exist afterwards, unless it existed before.
   */
  copy(entry: Entry, from: number, to: number, newName: string): boolean {
    const calls = this.#calls;
    const name = cString(entry.name);
    const flags = entry.isFollowed ? READ_FLAGS : READ_FLAGS | O_NOFOLLOW;
    const source = calls.openat(from, name, flags, 0) as number;
    if (source < 0) return false;
    const length = this.#read(source, entry);
    const isDone = length >= 0 &&
      this.#write(to, newName === entry.name ? name : cString(newName), { source, entry, content: BUFFER, length });
    calls.closeHandle(source);
    return isDone;
  }

  /** The same for a file whose content was read already, and which has no extended attributes. */
  copyContent(entry: Entry, content: Bytes, to: number, newName: string): boolean {
    return this.#write(to, cString(newName), { source: undefined, entry, content, length: content.length });
  }

  /** Reads a whole file. Returns a number below zero if the file is not as planned. */
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
    { source, entry, content, length }: {
      /** The handle of the file whose extended attributes are looked for. */
      readonly source: number | undefined;
      readonly entry: Entry;
      readonly content: Bytes;
      readonly length: number;
    },
  ): boolean {
    const calls = this.#calls;
    const { mode } = entry;
    const target = calls.openat(to, name, WRITE_FLAGS, mode & 0o777) as number;
    if (target < 0) return false;
    const isWritten = (length === 0 || calls.pwrite(target, content, length, 0) === length) &&
      (source === undefined || !this.#hasAttributes(source)) && this.#describe(target, entry);
    // NFS reports write errors at close(2).
    if (calls.close(target) === 0 && isWritten) return true;
    calls.unlinkat(to, name, 0);
    return false;
  }

  /** Whether the file has extended attributes, or that cannot be told: EntryWriter then copies them or reports the error. */
  #hasAttributes(source: number): boolean {
    return this.#support.isWorthAsking && this.#calls.flistxattr(source, this.#names) !== 0;
  }

  /** Sets owner, mode and time. */
  #describe(target: number, entry: Entry): boolean {
    const calls = this.#calls;
    const { owners, traits, umask } = this.#settings;
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
