// Programs that read a cache while it is written, as the clients do: a hub repository, an installed package, a dataset,
// a folder of downloads. Each checks for everything that the cache promises and says what it lacks.

/** The content of a cache before and after: shell scripts that run in its root. */
export const CACHE = {
  old: `
    mkdir -p hub/models--m/blobs hub/models--m/refs hub/models--m/snapshots/rev1
    cd hub/models--m; printf config1 >blobs/c1; printf weights1 >blobs/w1; printf rev1 >refs/main
    ln -s ../../blobs/c1 snapshots/rev1/config.json; ln -s ../../blobs/w1 snapshots/rev1/weights.bin
    cd ../..; mkdir -p site/foo site/foo-1.dist-info; echo 1 >site/foo/__init__.py; echo 1 >site/foo/core.py
    printf 'foo/__init__.py\\nfoo/core.py\\n' >site/foo-1.dist-info/RECORD
    mkdir -p datasets/d/hash1; printf rows1 >datasets/d/hash1/data.arrow; printf 5 >datasets/d/hash1/dataset_info.json
    touch -d 2024-01-01 datasets/d/hash1; mkdir downloads; printf first >downloads/f; printf 5 >downloads/f.json
    ln -s hub/models--m/snapshots/rev1 current; find . -type f | xargs touch -d 2024-01-01`,
  /** `large` is the size of the file that takes long to copy. */
  changes: (large: string) => `
    cd hub/models--m; printf config2 >blobs/c2; truncate -s ${large} blobs/w2; printf w >>blobs/w2; mkdir snapshots/rev2
    ln -s ../../blobs/c2 snapshots/rev2/config.json; ln -s ../../blobs/w2 snapshots/rev2/weights.bin; printf rev2 >refs/main
    cd ../..; mkdir site/foo-2.dist-info site/foo/extra; rm -r site/foo-1.dist-info; echo 2 >site/foo/core.py
    echo 2 >site/foo/extra/__init__.py; truncate -s ${large} site/foo/data.bin
    printf 'foo/__init__.py\\nfoo/core.py\\nfoo/extra/__init__.py\\nfoo/data.bin\\n' >site/foo-2.dist-info/RECORD
    for n in 4 3 2; do
      mkdir datasets/d/hash$n; printf rows$n >datasets/d/hash$n/data.arrow; printf 5 >datasets/d/hash$n/dataset_info.json
      touch -d 2024-01-0$n datasets/d/hash$n
    done
    truncate -s ${large} downloads/f; printf x >>downloads/f; stat -c %s downloads/f | tr -d '\\n' >downloads/f.json
    mkdir -p hub/models--new/blobs hub/models--new/refs hub/models--new/snapshots/rev1
    cd hub/models--new; printf config1 >blobs/c1; printf weights1 >blobs/w1; printf rev1 >refs/main
    ln -s ../../blobs/c1 snapshots/rev1/config.json; ln -s ../../blobs/w1 snapshots/rev1/weights.bin
    cd ../..; ln -sfn hub/models--m/snapshots/rev2 current`,
} as const;

/** What readers miss in a cache at this moment, one sentence each; empty if all of them get what was promised. */
export function findLacks(root: string): string[] {
  const lacks: string[] = [];
  for (const model of namesIn(`${root}/hub`)) readRepository(`${root}/hub/${model}`, lacks);
  readPackages(`${root}/site`, lacks);
  readDatasets(`${root}/datasets/d`, lacks);
  const size = Number(textOf(`${root}/downloads/f.json`));
  const found = sizeOf(`${root}/downloads/f`);
  // Two names cannot change at once: what is promised must exist, and may be larger.
  if (found === undefined || found < size) lacks.push(`downloads/f.json promises ${size} bytes and there are ${found}`);
  for (const name of ["config.json", "weights.bin"]) {
    if (sizeOf(`${root}/current/${name}`) === undefined) lacks.push(`current leads to no ${name}`);
  }
  return lacks;
}

/** What would be loaded: the revision of a model, the version of a package, the newest preparation of a dataset. */
export function whatIsLoaded(root: string): readonly (string | undefined)[] {
  const newest = namesIn(`${root}/datasets/d`).toSorted((one, other) =>
    timeOf(`${root}/datasets/d/${one}`) - timeOf(`${root}/datasets/d/${other}`)
  ).at(-1);
  return [textOf(`${root}/hub/models--m/refs/main`), versionsIn(`${root}/site`).at(-1), newest];
}

function readRepository(model: string, lacks: string[]): void {
  const revision = textOf(`${model}/refs/main`);
  if (revision === undefined) lacks.push(`${model} has no revision`);
  for (const snapshot of new Set([revision, ...namesIn(`${model}/snapshots`)])) {
    for (const name of ["config.json", "weights.bin"]) {
      if (!sizeOf(`${model}/snapshots/${snapshot}/${name}`)) lacks.push(`${model}: ${snapshot} lacks ${name}`);
    }
  }
}

function readPackages(site: string, lacks: string[]): void {
  const versions = versionsIn(site);
  if (versions.length === 0) lacks.push("the package is not installed");
  for (const version of versions) {
    const record = textOf(`${site}/${version}/RECORD`);
    if (!record) lacks.push(`${version} has no RECORD`);
    for (const path of record?.split("\n").filter((line) => line !== "") ?? []) {
      if (sizeOf(`${site}/${path}`) === undefined) lacks.push(`${version} lacks ${path}`);
    }
  }
}

function versionsIn(site: string): string[] {
  return namesIn(site).filter((name) => name.endsWith(".dist-info"));
}

function readDatasets(dataset: string, lacks: string[]): void {
  for (const hash of namesIn(dataset)) {
    const size = Number(textOf(`${dataset}/${hash}/dataset_info.json`));
    if (sizeOf(`${dataset}/${hash}/data.arrow`) !== size) lacks.push(`${hash} lacks rows`);
  }
}

function namesIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).toSorted();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function timeOf(path: string): number {
  return Deno.statSync(path).mtime?.getTime() ?? 0;
}
