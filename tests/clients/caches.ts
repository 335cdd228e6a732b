// Caches as their clients write them, one revision after the other: a repository in the layout of huggingface_hub, and
// preparations of a dataset. Each is written in the order of a careful client: contents, links, references.
import { createHash } from "node:crypto";

/** The properties of a revision. */
export interface Revision {
  readonly number: number;
  /** The size of its large file. */
  readonly largeBytes: number;
}

/** The commit of a revision. */
export function commitOf(number: number): string {
  return createHash("sha1").update(`revision ${number}`).digest("hex");
}

/** Adds a revision to the repository `org/model` of a hub cache, and makes `main` refer to it. */
export function addRevision(hub: string, { number, largeBytes }: Revision, repository = "models--org--model"): void {
  const root = `${hub}/${repository}`;
  const commit = commitOf(number);
  const contents: Record<string, string> = {
    "config.json": JSON.stringify({ revision: number, files: 4 }),
    "tokenizer.json": JSON.stringify({ tokens: `t${number}`.repeat(500) }),
    "model.safetensors": `${number}`.padEnd(largeBytes, "w"),
    "extra/vocab.txt": `vocabulary ${number}\n`,
  };
  const snapshot = `${root}/snapshots/${commit}`;
  Deno.mkdirSync(`${root}/blobs`, { recursive: true });
  Deno.mkdirSync(`${root}/refs`, { recursive: true });
  Deno.mkdirSync(`${root}/trees`, { recursive: true });
  Deno.mkdirSync(`${snapshot}.new/extra`, { recursive: true });
  const files: Record<string, unknown> = {};
  for (const [path, text] of Object.entries(contents)) {
    const blob = createHash("sha1").update(text).digest("hex");
    writeWhole(`${root}/blobs/${blob}`, text);
    const up = "../".repeat(path.split("/").length + 1);
    Deno.symlinkSync(`${up}blobs/${blob}`, `${snapshot}.new/${path}`);
    files[path] = { size: text.length, blob_id: blob };
  }
  Deno.renameSync(`${snapshot}.new`, snapshot);
  writeWhole(`${root}/trees/${commit}.json`, JSON.stringify({ format_version: 1, files }));
  writeWhole(`${root}/refs/main`, commit);
}

/** Adds a preparation of a dataset: a directory that is complete when it gets its name. */
export function addPreparation(dataset: string, { number, largeBytes }: Revision): void {
  const directory = `${dataset}/hash${number}`;
  Deno.mkdirSync(`${directory}.incomplete`, { recursive: true });
  Deno.writeTextFileSync(`${directory}.incomplete/data.arrow`, `${number}`.padEnd(largeBytes, "r"));
  Deno.writeTextFileSync(`${directory}.incomplete/dataset_info.json`, JSON.stringify({ size: largeBytes }));
  Deno.renameSync(`${directory}.incomplete`, directory);
}

/** Writes a file that is never visible in part. */
function writeWhole(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.write`, text);
  Deno.renameSync(`${path}.write`, path);
}
