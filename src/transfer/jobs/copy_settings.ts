// Settings that are the same for all files that a transfer writes.
import type { Calls } from "../../posix/calls.ts";
import type { TransferPolicy } from "../decide.ts";
import type { FileSystemTraits } from "../traits.ts";

/** How all files of a transfer are written. */
export interface CopySettings {
  /** Absolute roots. */
  readonly from: string;
  readonly to: string;
  readonly policy: TransferPolicy;
  /** `directly`: into a private tree. Else the absolute path of the directory for temporary files, on the same file system. */
  readonly temporary: string | "directly";
  /** `copy`: modes, owners and attributes of the source; `content`: those that the receiving side has. */
  readonly keep: "copy" | "content";
  /** `private`: the root gets a mode for its owner alone; undefined: that of the source. */
  readonly top?: "private";
  /** `durable`: each file is synced before it is published. */
  readonly durability: "durable" | "fast";
  /** `same`: the owners of the source, which only root can set. */
  readonly owners: "same" | "own";
  /** Permission bits that this process leaves out of what it makes. */
  readonly umask: number;
  /** The form of calls for large files, if another one suits the rest. */
  readonly largeForm?: Calls["form"];
  /** `none`: no directory of the source has extended attributes, so none is asked. */
  readonly directoryAttributes?: "none";
  /** The sending side is private and is removed afterwards: its files get another name (linkat(2)) instead of a copy. */
  readonly linkFiles?: "where possible";
  /** What the receiving file system keeps of times and modes. */
  readonly traits: FileSystemTraits;
}
