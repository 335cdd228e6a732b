// The order in which names appear, which follows from the names alone.
import { equal } from "node:assert/strict";
import type { Entry } from "../../src/transfer/entry.ts";
import { PRESETS } from "../../src/config/presets.ts";
import { phaseOf, PHASES, pointsElsewhere, unitOf } from "../../src/transfer/phases.ts";

function entry(path: string, more: Partial<Entry> = {}): [directory: string, entry: Entry] {
  const cut = path.lastIndexOf("/");
  const name = path.slice(cut + 1);
  return [path.slice(0, Math.max(0, cut)), { name, type: "file", sizeBytes: 100, linkTarget: "", ...more } as Entry];
}

Deno.test("contents come first, then new links, then new files that refer to others, then replaced ones", () => {
  const phases = {
    "hub/models--m/blobs/abc": "contents",
    "hub/models--m/refs/main": "pointers",
    "hub/models--m/refs/pr/1": "pointers",
    "hub/models--m/trees/abc.json": "pointers",
    "datasets/d/hash/data.arrow": "contents",
    "datasets/d/hash/dataset_info.json": "pointers",
    "lib/python3.11/site-packages/foo/__init__.py": "contents",
    "lib/python3.11/site-packages/foo-1.0.dist-info/RECORD": "pointers",
    "_cacache/content-v2/sha512/aa/bb/cc": "contents",
    "_cacache/index-v5/aa/bb/cc": "pointers",
    "archive-v0/abc/foo.py": "contents",
    "wheels-v5/pypi/foo/1.0-py3-none-any.http": "pointers",
    "simple-v16/pypi/foo.rkyv": "contents",
    "cache/download/example.org/m/@v/list": "pointers",
    "cache/download/example.org/m/@v/v1.zip": "contents",
    "numba/f.nbc": "contents",
    "numba/f.nbi": "pointers",
  };
  for (const [path, phase] of Object.entries(phases)) {
    const [directory, file] = entry(path);
    equal(phaseOf(directory, file, undefined), phase === "pointers" ? "new pointers" : phase, path);
    equal(phaseOf(directory, file, file), phase, path);
  }
  equal(PHASES.indexOf("new pointers") < PHASES.indexOf("pointers"), true);
});

Deno.test("a new link comes before a replaced one, and a large file counts as contents under any name", () => {
  const [directory, link] = entry("hub/models--m/snapshots/rev/config.json", {
    type: "link",
    linkTarget: "../../blobs/c",
  });
  equal(phaseOf(directory, link, undefined), "links");
  equal(phaseOf(directory, link, link), "pointers");
  equal(phaseOf(...entry("data.json", { sizeBytes: 2 ** 30 }), undefined), "contents");
});

Deno.test("a file that refers to others belongs to its directory, a reference in refs/ to the whole repository", () => {
  equal(unitOf("hub/models--m/refs", "main"), "hub/models--m");
  equal(unitOf("site-packages/foo-1.0.dist-info", "RECORD"), "site-packages");
  equal(unitOf("datasets/d/hash", "dataset_info.json"), "datasets/d/hash");
  equal(unitOf("", "index.json"), "");
  equal(pointsElsewhere("site-packages/foo-1.0.dist-info"), true);
  equal(pointsElsewhere("hub/models--m/snapshots/rev"), false);
});

/** For each preset a file that names other files, or `none`: the tool looks for each file by its own name. */
const POINTERS: Readonly<Record<string, string | "none">> = {
  HF_HOME: "hub/models--m/refs/main",
  TORCH_HOME: "none",
  HF_HUB_CACHE: "models--m/refs/main",
  HF_DATASETS_CACHE: "d/default/0.0.0/hash/dataset_info.json",
  TRANSFORMERS_CACHE: "models--m/refs/main",
  SENTENCE_TRANSFORMERS_HOME: "models--m/refs/main",
  NLTK_DATA: "none",
  KERAS_HOME: "none",
  TFDS_DATA_DIR: "mnist/3.0.1/dataset_info.json",
  OLLAMA_MODELS: "manifests/registry.ollama.ai/library/llama3/latest",
  // kagglehub (cache.py) writes it when all files of a version have arrived.
  KAGGLEHUB_CACHE: "models/owner/name/framework/variation/1.complete",
  // modelscope (hub/file_download.py, ModelFileSystemCache): the list of the files of a model.
  MODELSCOPE_CACHE: "hub/models/owner/name/.msc",
  WANDB_CACHE_DIR: "none",
  PIP_CACHE_DIR: "wheels/aa/bb/cc/origin.json",
  UV_CACHE_DIR: "wheels-v5/pypi/foo/1.0-py3-none-any.http",
  CONDA_PKGS_DIRS: "numpy-2/info/repodata_record.json",
  PIXI_CACHE_DIR: "pkgs/numpy-2/info/repodata_record.json",
  POETRY_CACHE_DIR: "none",
  npm_config_cache: "_cacache/index-v5/aa/bb/cc",
  GOMODCACHE: "cache/download/example.org/m/@v/list",
  TRITON_CACHE_DIR: "hash/__grp__kernel.json",
  TORCHINDUCTOR_CACHE_DIR: "none",
  CUDA_CACHE_PATH: "index",
  APPTAINER_CACHEDIR: "cache/blob/index.json",
  XDG_CACHE_HOME: "huggingface/hub/models--m/refs/main",
};

Deno.test("each preset has files that are published last, or none that name others", () => {
  equal(PRESETS.map(({ name }) => name).toSorted().join(), Object.keys(POINTERS).toSorted().join());
  for (const [name, path] of Object.entries(POINTERS)) {
    if (path === "none") continue;
    const [directory, file] = entry(path);
    equal(phaseOf(directory, file, undefined), "new pointers", name);
  }
  // A Git database below uv's cache: references in one file.
  for (const name of ["packed-refs", "HEAD"]) {
    const [directory, file] = entry(`git-v0/db/hash/${name}`);
    equal(phaseOf(directory, file, file), "pointers");
  }
  equal(unitOf("manifests/registry.ollama.ai/library/llama3", "latest"), "");
});
