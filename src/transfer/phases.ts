// The order in which a transfer publishes files, so that a program that reads meanwhile finds either the old or the new state:
//
//   contents      new directories that are complete in themselves, new and replaced files
//   links         new links, and new directories with links that lead out of them: their destinations are published by now
//   new pointers  new small files that refer to other files: references, indexes, lists of a package's files
//   pointers      such files that replace others, and replaced links: an index may name a file that a new pointer describes
//
// Removals come after all of them. Everything is copied before the first file is published, except that large files are
// published as soon as each is complete. Pure.
import type { Entry } from "./entry.ts";
import { joinName } from "../posix/file_names.ts";

/** When a name is published. */
export type Phase = "contents" | "links" | "new pointers" | "pointers";

/** The phases in their order. */
export const PHASES = ["contents", "links", "new pointers", "pointers"] as const satisfies readonly Phase[];

/** Larger files are `contents`, whatever their names. */
export const LARGEST_POINTER_BYTES = 1024 * 1024;

/**
 * Directories of references, by which programs find everything else: of a Hugging Face hub (huggingface_hub), npm (cacache,
 * lib/entry-index.js), uv (uv-cache, CacheBucket), cargo and Ollama (server/modelpath.go: `manifests` beside `blobs`). Not uv's
 * `simple-v*`, which list what servers have, and name no file of the cache.
 */
const REFERENCES = /^(refs|trees|manifests|index(-v\d+)?|wheels-v\d+)$/;

/** Directories whose files refer to files elsewhere: references, and metadata of an installed package (PEP 376, PEP 627). */
const POINTING_DIRECTORY = new RegExp(`${REFERENCES.source}|\\.(dist-info|egg-info)$`);

/**
 * Files that refer to other files: an index or a description beside data (`dataset_info.json`, `model.safetensors.index.json`,
 * the `.json` beside a download, the `.nbi` beside numba's `.nbc`), Go's lists of versions, cargo's mark of a complete crate,
 * the references and the current commit of a Git repository (gitrepository-layout(5)), kagglehub's mark of a complete version,
 * ModelScope's list of a model's files.
 */
const POINTING_FILE =
  /\.(json|nbi|ziphash|http|rev|complete|msc)$|^(index|list|RECORD|METADATA|\.cargo-ok|packed-refs|HEAD|FETCH_HEAD)$/;

/** Names that programs give to files of a database with values of its own beside it (diskcache, LMDB). */
const DATABASE_NAME = /\.(db|sqlite3?|mdb)$/;

/** The phase in which a name in a live directory is published. */
export function phaseOf(directory: string, entry: Entry, replaces: Entry | undefined): Phase {
  if (entry.type === "link") return replaces === undefined ? "links" : "pointers";
  if (entry.type !== "file" || entry.sizeBytes > LARGEST_POINTER_BYTES) return "contents";
  if (!POINTING_FILE.test(entry.name) && !pointsElsewhere(directory)) return "contents";
  return replaces === undefined ? "new pointers" : "pointers";
}

/** Whether a file is a database by its name. */
export function isDatabaseName(name: string): boolean {
  return DATABASE_NAME.test(name);
}

/** Whether a directory holds references: without them, programs do not find the files that they name. */
export function holdsReferences(directory: string): boolean {
  return directory.split("/").some((name) => REFERENCES.test(name));
}

/** Whether the files of a directory refer to files elsewhere. */
export function pointsElsewhere(directory: string): boolean {
  return directory.split("/").some((name) => POINTING_DIRECTORY.test(name));
}

/**
 * The directory that a pointing file describes: if a file in it, at any depth, failed, the old pointing file is kept. For a
 * reference, that is the whole repository.
 */
export function unitOf(directory: string, name: string): string {
  const parts = joinName(directory, name).split("/");
  const pointing = parts.findIndex((part) => POINTING_DIRECTORY.test(part));
  return parts.slice(0, pointing === -1 ? -1 : pointing).join("/");
}
