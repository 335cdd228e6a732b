// The trees of the benchmark: the same bytes at the same paths on every run.

/** The kinds of trees. */
export const TREE_KINDS = ["small-files", "flat", "models", "large-files"] as const;

/** One of {@linkcode TREE_KINDS}. */
export type TreeKind = typeof TREE_KINDS[number];

/**
 * Makes a tree of about so many files below a directory that doesn't exist yet, all a day old, because the content of files
 * modified in the last minute would be compared as well. Returns the number of files.
 */
export async function makeTree(kind: TreeKind, root: string, files: number): Promise<number> {
  const made = await makeFiles(kind, root, files);
  const args = [root, "-exec", "touch", "-h", "-d", "1 day ago", "{}", "+"];
  await new Deno.Command("find", { args, stdout: "null", stderr: "inherit" }).output();
  return made;
}

async function makeFiles(kind: TreeKind, root: string, files: number): Promise<number> {
  const random = randomBytes(16 * 1024 * 1024);
  await Deno.mkdir(root, { recursive: true });
  switch (kind) {
    case "small-files":
      return await makeSmallFiles(root, files, Math.max(1, Math.round(files / 20)), random);
    case "flat":
      return await makeSmallFiles(root, files, 1, random);
    case "models":
      return await makeModels(root, Math.max(1, Math.round(files / 20)), random);
    case "large-files":
      return await makeLargeFiles(root, 3, random);
  }
}

/** Writes new content of the same size into the first so many files of a tree of small files. */
export async function changeFiles(root: string, count: number, turn: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const path = (await Deno.readTextFile(`${root}.names`)).split("\n")[number];
    if (path === undefined) return;
    await Deno.writeTextFile(`${root}/${path}`, `changed in turn ${turn}, `.repeat(20));
  }
}

/** 0.2 to 12 KB each, spread over directories three levels deep. */
async function makeSmallFiles(root: string, files: number, directories: number, random: Uint8Array): Promise<number> {
  const names: string[] = [];
  for (let directory = 0; directory < directories; directory++) {
    await Deno.mkdir(`${root}/${directoryName(directory)}`, { recursive: true });
  }
  for (let file = 0; file < files; file++) {
    const name = `${directoryName(file % directories)}/file-${file}.bin`;
    const size = 200 + (file * 7919) % 11_800;
    await Deno.writeFile(`${root}/${name}`, slice(random, file, size));
    if (names.length < 1000) names.push(name);
  }
  await Deno.writeTextFile(`${root}.names`, names.join("\n"));
  return files;
}

function directoryName(directory: number): string {
  return `a${directory % 20}/b${Math.floor(directory / 20) % 10}/d${directory}`;
}

/** The layout of a cache of model files: blobs named by their hash, snapshots that are links to them, small references. */
async function makeModels(root: string, models: number, random: Uint8Array): Promise<number> {
  for (let model = 0; model < models; model++) {
    const hub = `${root}/hub/models--org--name${model}`;
    const snapshot = `${hub}/snapshots/${"0123456789abcdef".repeat(2)}`;
    for (const directory of [`${hub}/blobs`, `${hub}/refs`, snapshot]) await Deno.mkdir(directory, { recursive: true });
    for (let file = 0; file < 10; file++) {
      const blob = `${model}-${file}`.padStart(40, "0");
      const size = file === 0 ? 1_000_000 : 500 + file * 300;
      await Deno.writeFile(`${hub}/blobs/${blob}`, slice(random, model + file, size));
      await Deno.symlink(`../../blobs/${blob}`, `${snapshot}/file${file}.json`);
    }
    await Deno.writeTextFile(`${hub}/refs/main`, "0123456789abcdef");
  }
  return models * 21;
}

async function makeLargeFiles(root: string, count: number, random: Uint8Array): Promise<number> {
  for (let number = 0; number < count; number++) {
    using file = await Deno.open(`${root}/model-0000${number}.safetensors`, { write: true, create: true });
    for (let written = 0; written < 2 * 1024 ** 3; written += random.length) await file.write(random);
  }
  return count;
}

function slice(bytes: Uint8Array, seed: number, size: number): Uint8Array {
  const from = (seed * 65_537) % (bytes.length - size);
  return bytes.subarray(from, from + size);
}

function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}
