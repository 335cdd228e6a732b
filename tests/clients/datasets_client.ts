// The real datasets, transformers and safetensors: they fill a cache from a hub, and read it offline in a loop.
import { findClientPython } from "../../scripts/prepare_clients.ts";
import type { Hub } from "../support/hub.ts";
import type { LoopCounts } from "./hub_reader.ts";
import { moveNames } from "./move_names.ts";

/** Why they cannot be used; undefined if they can. */
export const DATASETS_REASON = findClientPython("large") === undefined
  ? "datasets and transformers not installed"
  : undefined;

const WRITER = `
import datasets, huggingface_hub
huggingface_hub.snapshot_download("org/real")
datasets.load_dataset("org/data")
`;

// `loop STOP`: reads until the file STOP exists; `once`: reads once. Prints the counts.
const READER = `
import glob, json, os, sys, time
import datasets, huggingface_hub, transformers
from safetensors.numpy import load_file
datasets.disable_progress_bars()
transformers.logging.set_verbosity_error()
lacks, revisions, looks, newest = {}, set(), 0, dict(model=0, data=0)

def lack(text): lacks[text] = lacks.get(text, 0) + 1

def note(what, number):
    if number < newest[what]: lack("%s: revision %s after %s" % (what, number, newest[what]))
    newest[what] = max(newest[what], number)
    revisions.add((what, number))

def model():
    path = huggingface_hub.snapshot_download("org/real", local_files_only=True)
    config = transformers.AutoConfig.from_pretrained(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    weights = load_file(os.path.join(path, "model.safetensors"))["w"]
    numbers = {config.revision_number, tokenizer.convert_tokens_to_ids("revision"), int(weights[0]), int(weights[-1])}
    if len(numbers) != 1: lack("model: a mixture of %s" % sorted(numbers))
    note("model", config.revision_number)

def data():
    rows = datasets.load_dataset("org/data", split="train")
    numbers = set(rows["n"])
    if len(numbers) != 1: lack("data: a mixture of %s" % sorted(numbers))
    if len(rows) != rows[0]["rows"]: lack("data: %s of %s rows" % (len(rows), rows[0]["rows"]))
    note("data", max(numbers))

while True:
    looks += 1
    for look in model, data:
        try: look()
        except Exception as error: lack("%s: %r" % (look.__name__, error))
    if sys.argv[1] == "once" or os.path.exists(sys.argv[2]): break
    time.sleep(0.5)
print()
print(json.dumps(dict(looks=looks, lacks=lacks, revisions=len(revisions))))
`;

const QUIET = { HF_HUB_DISABLE_PROGRESS_BARS: "1", HF_HUB_DISABLE_TELEMETRY: "1" };

/** Serves a revision of a model and of a dataset, in which everything contains its number. */
export function serveRevision(hub: Hub, number: number, rows: number): void {
  hub.add({
    ...{ kind: "models", name: "org/real" },
    files: {
      "config.json": JSON.stringify({ model_type: "bert", hidden_size: 16, vocab_size: 5, revision_number: number }),
      "tokenizer.json": JSON.stringify(tokenizerOf(number)),
      "tokenizer_config.json": JSON.stringify({ tokenizer_class: "PreTrainedTokenizerFast", unk_token: "[UNK]" }),
      "model.safetensors": weightsOf(number, 1_000_000),
    },
  });
  const row = (index: number) =>
    JSON.stringify({ n: number, rows, index, text: `row ${index} of ${number}`.repeat(9) });
  const lines = Array.from({ length: rows }, (_, index) => `${row(index)}\n`);
  hub.add({
    ...{ kind: "datasets", name: "org/data" },
    files: { "README.md": `# Revision ${number}\n`, "data/train.jsonl": lines.join("") },
  });
}

/**
 * Downloads and prepares the content of the hub in another directory, then moves it into the cache by renames, contents
 * first. The clients themselves are less careful, and a reader beside them meets faults that no transfer caused:
 * huggingface_hub writes the list of files and the reference of a revision before its files (_snapshot_download.py),
 * and datasets, offline, reads `*.incomplete`, too (packaged_modules/cache/cache.py, _find_hash_in_cache).
 */
export async function fillFromHub(hub: Hub, home: string, preparing: string): Promise<void> {
  await runPython(["-c", WRITER], { HF_ENDPOINT: hub.url, HF_HOME: preparing });
  const parts = ["blobs", "snapshots", "trees", "refs"];
  const repositories = ["hub/models--org--real", "hub/datasets--org--data"];
  const below = repositories.flatMap((repository) => parts.map((part) => `${repository}/${part}`));
  for (const path of [...below, "datasets/org___data/default/0.0.0"]) {
    await moveNames(`${preparing}/${path}`, `${home}/${path}`);
  }
  await Deno.remove(preparing, { recursive: true });
}

/** Reads offline, once or until the file `stop` exists. */
export async function readOffline(home: string, stop?: string): Promise<LoopCounts> {
  const args = stop === undefined ? ["once"] : ["loop", stop];
  const stdout = await runPython(["-c", READER, ...args], { HF_HUB_OFFLINE: "1", HF_HOME: home });
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

async function runPython(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(findClientPython("large")!, {
    args: [...args],
    env: { ...QUIET, ...env },
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** A tokenizer of words; one of the words has the number of the revision. */
function tokenizerOf(number: number): unknown {
  return {
    version: "1.0",
    ...{ truncation: null, padding: null, added_tokens: [], normalizer: null, post_processor: null, decoder: null },
    pre_tokenizer: { type: "Whitespace" },
    model: { type: "WordLevel", vocab: { "[UNK]": 0, revision: number }, unk_token: "[UNK]" },
  };
}

/** A safetensors file: the length of its header in 8 bytes, the header as JSON, and floats. */
function weightsOf(number: number, count: number): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(
    JSON.stringify({ w: { dtype: "F32", shape: [count], data_offsets: [0, 4 * count] } }),
  );
  const bytes = new Uint8Array(8 + header.length + 4 * count);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  for (let index = 0; index < count; index++) view.setFloat32(8 + header.length + 4 * index, number, true);
  return bytes;
}
