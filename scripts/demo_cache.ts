// A cache in the layout of Hugging Face's libraries, for the demo: blobs named by their digest, snapshots of links to them,
// and a dataset of many small files.

const MODELS = [
  { name: "lab/large-model", weightsBytes: 96_000_000 },
  { name: "lab/small-model", weightsBytes: 32_000_000 },
];
const SMALL_FILES = 4000;
const SMALL_FILES_PER_DIRECTORY = 250;
const SMALL_FILE_BYTES = 6000;

/** Writes the cache into an existing directory; returns how much it contains. */
export async function writeHubCache(directory: string): Promise<{ files: number; bytes: number }> {
  for (const { name, weightsBytes } of MODELS) await writeModel(directory, name, weightsBytes);
  const numbers = Array.from({ length: SMALL_FILES }, (_, number) => number);
  const shard = (number: number) =>
    `${directory}/datasets/lab___images/${Math.floor(number / SMALL_FILES_PER_DIRECTORY)}`;
  for (const path of new Set(numbers.map(shard))) await Deno.mkdir(path, { recursive: true });
  await Promise.all(numbers.map(async (number) => {
    await Deno.writeFile(`${shard(number)}/${number}.jpg`, randomBytes(SMALL_FILE_BYTES));
  }));
  const weights = MODELS.reduce((sum, { weightsBytes }) => sum + weightsBytes, 0);
  // A model is its weights, its settings, a reference and two links.
  return { files: SMALL_FILES + 5 * MODELS.length, bytes: SMALL_FILES * SMALL_FILE_BYTES + weights };
}

/** Adds a model to a cache: two blobs, a snapshot that links to them, and the reference to that. */
export async function writeModel(cache: string, name: string, weightsBytes: number): Promise<void> {
  const model = `${cache}/hub/models--${name.replace("/", "--")}`;
  const snapshot = `${model}/snapshots/${hexDigits(40)}`;
  for (const path of [`${model}/blobs`, `${model}/refs`, snapshot]) await Deno.mkdir(path, { recursive: true });
  const blobs = {
    "config.json": new TextEncoder().encode('{"model_type": "demo"}\n'),
    "model.safetensors": weights(weightsBytes),
  };
  for (const [file, bytes] of Object.entries(blobs)) {
    const digest = hexDigits(64);
    await Deno.writeFile(`${model}/blobs/${digest}`, bytes);
    await Deno.symlink(`../../blobs/${digest}`, `${snapshot}/${file}`);
  }
  await Deno.writeTextFile(`${model}/refs/main`, snapshot.slice(snapshot.lastIndexOf("/") + 1));
}

function weights(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const pattern = randomBytes(60_000);
  for (let at = 0; at < sizeBytes; at += pattern.length) bytes.set(pattern.subarray(0, sizeBytes - at), at);
  return bytes;
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}

function hexDigits(count: number): string {
  return randomBytes(count / 2).toHex();
}
