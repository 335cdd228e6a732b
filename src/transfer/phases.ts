// In which order what a transfer brings gets its names, so that a program that reads meanwhile finds the old state or the new one:
//
//   contents   new directories that are complete in themselves, new and replaced files
//   links      new links, and new directories with links that lead out of them: what they lead to has its name by now
//   pointers   replaced links, and small files that say what else there is: references, indexes, lists of a package's files
//
// Removals come after all of them. Everything is copied before the first name is given, large files apart, which get theirs when
// each is whole. Pure.
import type { Entry } from "./entry.ts";
import { joinName } from "../posix/file_names.ts";

/** When something gets its name. */
export type Phase = "contents" | "links" | "pointers";

/** The phases in their order. */
export const PHASES = ["contents", "links", "pointers"] as const satisfies readonly Phase[];

/** Larger files are contents, whatever their names are. */
const LARGEST_POINTER_BYTES = 1024 * 1024;

/**
 * Directories whose files say what there is elsewhere: references and lists of files of a Hugging Face hub (huggingface_hub), what
 * is known of an installed package (PEP 376, PEP 627), the indexes of npm (cacache, lib/entry-index.js), uv (uv-cache, CacheBucket)
 * and cargo.
 */
const POINTING_DIRECTORY = /^(refs|trees|index(-v\d+)?|simple-v\d+|wheels-v\d+|.*\.(dist-info|egg-info))$/;

/**
 * Files that say what there is: an index or description beside the data (`dataset_info.json`, `model.safetensors.index.json`, the
 * `.json` beside a download, the `.nbi` beside numba's `.nbc`), Go's lists of versions, cargo's sign of a complete crate.
 */
const POINTING_FILE = /\.(json|nbi|ziphash|rkyv|http|rev)$|^(index|list|RECORD|METADATA|\.cargo-ok)$/;

/** When a name in a live directory appears or is replaced. */
export function phaseOf(directory: string, entry: Entry, replaces: Entry | undefined): Phase {
  if (entry.type === "link") return replaces === undefined ? "links" : "pointers";
  if (entry.type !== "file" || entry.sizeBytes > LARGEST_POINTER_BYTES) return "contents";
  return POINTING_FILE.test(entry.name) || pointsElsewhere(directory) ? "pointers" : "contents";
}

/** Whether a directory is one of those whose files say what there is elsewhere. */
export function pointsElsewhere(directory: string): boolean {
  return directory.split("/").some((name) => POINTING_DIRECTORY.test(name));
}

/**
 * What a file that points at others speaks for: a failed file in this directory or below is reason to keep the old file. Of a
 * reference that is the whole repository.
 */
export function unitOf(directory: string, name: string): string {
  const parts = joinName(directory, name).split("/");
  const pointing = parts.findIndex((part) => POINTING_DIRECTORY.test(part));
  return parts.slice(0, pointing === -1 ? -1 : pointing).join("/");
}
