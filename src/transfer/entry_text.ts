// Entries as text, in the format of find(1). Listings and manifests use the same format, so that an unchanged directory is
// recognized by comparing two texts, and only directories that differ are parsed.
import type { Entry, EntryState, EntryType } from "./entry.ts";
import { MARKS, racyOf } from "./racy.ts";

const TYPES: Readonly<Record<string, EntryType>> = { f: "file", d: "directory", l: "link" };
const LETTERS = { file: "f", directory: "d", link: "l", special: "s" } as const;

/** The name and the target of a link, as `name//target`: no name contains a slash, but a target may. */
export function labelOf(name: string, linkTarget: string): string {
  return `${name}//${linkTarget}`;
}

/** The inverse of {@linkcode labelOf}. */
export function parseLabel(label: string): { readonly name: string; readonly linkTarget: string } {
  const cut = label.indexOf("//");
  return { name: label.slice(0, cut), linkTarget: label.slice(cut + 2) };
}

/**
 * `letter mode size seconds.fraction`: mode in octal, ten digits of a fraction, seconds rounded down. The last digit is 0,
 * except for a recorded file that is racy; a hash of its content may follow.
 */
export function stateText(state: EntryState): string {
  if (state.text !== undefined) return state.text;
  const fraction = state.mtimeNanoseconds.toString().padStart(9, "0");
  const mark = state.racy === undefined ? "0" : MARKS[state.racy];
  const hash = state.contentHash === undefined ? "" : ` ${state.contentHash}`;
  const time = `${state.mtimeSeconds}.${fraction}${mark}`;
  return `${LETTERS[state.type]} ${state.mode.toString(8)} ${state.sizeBytes} ${time}${hash}`;
}

/** The inverse of {@linkcode stateText}; `linkTarget` completes it. Throws a RangeError for any other text. */
export function parseState(text: string, linkTarget: string): EntryState {
  const [letter = "", mode = "", size = "", time = "", contentHash] = text.split(" ");
  const type = letter === "s" ? "special" : TYPES[letter];
  if (type === undefined) throw new RangeError(`Cannot read an entry's text "${text}"`);
  const racy = racyOf(time.at(-1));
  return {
    ...{ type, mode: parseInt(mode, 8), sizeBytes: Number(size), ...parseTime(time), linkTarget },
    ...(racy === undefined ? {} : { racy }),
    ...(contentHash === undefined ? {} : { contentHash }),
  };
}

/** The size in the text of a state. */
export function sizeIn(text: string): number {
  const from = text.indexOf(" ", 2) + 1;
  return Number(text.slice(from, text.indexOf(" ", from)));
}

function parseTime(time: string): Pick<EntryState, "mtimeSeconds" | "mtimeNanoseconds"> {
  const point = time.indexOf(".");
  return { mtimeSeconds: Number(time.slice(0, point)), mtimeNanoseconds: Number(time.slice(point + 1, point + 10)) };
}

/** Comes in `more` before the time of a change that was made after the walk began, in seconds since 1970. */
export const CHANGED = "@";

/** Suffix of `more` for a link that is read as its destination. */
export const FOLLOWED = " followed";

/** Suffix of `more` for an entry in a directory that a followed link leads to. */
export const BEHIND_LINK = " behind";

/** A name, in the format of jobs/list.ts. */
export interface FoundEntry {
  readonly name: string;
  readonly linkTarget: string;
  /** `letter mode size seconds.fraction`, or the letter alone where only names were listed. */
  readonly state: string;
  /** `links device:inode blocks user group kind`: blocks of 512 bytes, find's letter of the kind; CHANGED; FOLLOWED or BEHIND_LINK. */
  readonly more: string;
}

/** A found entry; its numbers are parsed when they are asked for. */
export class ListedEntry implements Entry {
  readonly name: string;
  readonly type: EntryType;
  readonly linkTarget: string;
  readonly text: string;
  readonly more: string;
  #state: EntryState | undefined;

  constructor(found: FoundEntry) {
    this.name = found.name;
    this.type = found.state[0] === "s" ? "special" : TYPES[found.state[0]!]!;
    this.linkTarget = found.linkTarget;
    this.text = found.state;
    this.more = found.more;
  }

  get mode(): number {
    return this.#parsed().mode;
  }

  get sizeBytes(): number {
    return this.type === "file" ? sizeIn(this.text) : 0;
  }

  get mtimeSeconds(): number {
    return this.#parsed().mtimeSeconds;
  }

  get mtimeNanoseconds(): number {
    return this.#parsed().mtimeNanoseconds;
  }

  get linkGroup(): string {
    return this.type !== "file" || this.more.startsWith("1 ") ? "" : this.more.split(" ")[1]!;
  }

  get device(): string | undefined {
    return this.more.split(" ")[1]?.split(":")[0];
  }

  get userId(): number {
    return Number(this.more.split(" ")[3]);
  }

  get groupId(): number {
    return Number(this.more.split(" ")[4]);
  }

  get allocatedBytes(): number {
    return this.type === "file" ? Math.min(this.sizeBytes, Number(this.more.split(" ")[2]) * 512) : 0;
  }

  get specialKind(): string {
    return this.type === "special" ? this.more.split(" ")[5]![0]! : "";
  }

  get changedSeconds(): number | undefined {
    const from = this.more.indexOf(CHANGED);
    return from === -1 ? undefined : parseFloat(this.more.slice(from + 1));
  }

  get isFollowed(): boolean {
    return this.more.endsWith(FOLLOWED);
  }

  get isBehindLink(): boolean {
    return this.isFollowed || this.more.endsWith(BEHIND_LINK);
  }

  #parsed(): EntryState {
    return this.#state ??= parseState(this.text, this.linkTarget);
  }
}

/** An entry as three fields, each followed by a NUL: label, state, and more. */
export function fieldsOf(entry: Entry): string {
  const more = entry instanceof ListedEntry ? entry.more : "";
  return `${labelOf(entry.name, entry.linkTarget)}\0${stateText(entry)}\0${more}\0`;
}

/** The entries in a text of three fields each. */
export function entriesIn(text: string): Entry[] {
  const fields = text.split("\0");
  const entries: Entry[] = [];
  for (let index = 0; index + 2 < fields.length; index += 3) {
    entries.push(
      new ListedEntry({ ...parseLabel(fields[index]!), state: fields[index + 1]!, more: fields[index + 2]! }),
    );
  }
  return entries;
}
