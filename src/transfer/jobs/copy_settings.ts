// What is the same for all files that a transfer writes.
import type { TransferPolicy } from "../decide.ts";
import type { FileSystemTraits } from "../traits.ts";

/** How all files of a transfer are written. */
export interface CopySettings {
  /** Absolute roots. */
  readonly from: string;
  readonly to: string;
  readonly policy: TransferPolicy;
  /** `directly`: into a tree that nobody reads yet. Else the directory for temporary files, absolute, on the same file system. */
  readonly temporary: string | "directly";
  /** `copy`: modes, owners and attributes as at the source; `content`: those of the receiving side. */
  readonly keep: "copy" | "content";
  /** The mode of the root; without it, that of the source. */
  readonly top?: "private";
  /** `durable`: a file is synced before it gets its name. */
  readonly durability: "durable" | "fast";
  /** `same`: the owners of the source, which only root can set. */
  readonly owners: "same" | "own";
  /** Permission bits that this process leaves out of what it makes. */
  readonly umask: number;
  /** What the receiving side makes of times and modes. */
  readonly traits: FileSystemTraits;
}
