// Well-known cache variables: what each holds and its default directory. Pure.
// Lists of directories (JULIA_DEPOT_PATH) are not here: they can't be moved by naming one directory.
import type { Tier } from "./tier.ts";

/** A variable people are likely to want. */
export interface Preset {
  readonly name: string;
  /** The programs that read it. */
  readonly tool: string;
  readonly holds: string;
  /** Its default, below the cache directory of the XDG base directory specification or below home. */
  readonly usualPath?: { readonly base: "cache" | "home"; readonly below: string };
  /**
   * Proposed to be redirected to this tier instead of staged, because a copy is of no use. Packages are downloaded again, and
   * compiled code is for one processor, in many small files.
   */
  readonly redirect?: Tier;
  /** What to consider before managing it. */
  readonly caution?: string;
  /** Patterns of files that are never copied, besides those for all variables: locks, and unfinished downloads. */
  readonly exclude: readonly string[];
}

/**
 * Patterns that are excluded from every variable. Such files are of use only to programs on their node, and a copied lock
 * blocks programs at its new path for good.
 * - `.locks/`: huggingface_hub (file_download.py), a lock file for each blob
 * - `*.incomplete`: huggingface_hub and datasets (utils/file_utils.py, builder.py) until a download is complete
 * - `*.matplotlib-lock`: matplotlib (cbook.py, _lock_path), which waits until it disappears
 * - `*.db-shm`: SQLite's index of a `-wal` file, which is memory that the processes of one node share (walformat)
 * - `lock.mdb`: LMDB (mdb.c, mdb_suffixes), the process numbers and mutexes of one node
 * - `*.thread-*-pid-*`: joblib (_store_backends.py, concurrency_safe_write)
 * - `*.nb[ci].tmp.*`: numba (core/caching.py, _open_for_write)
 * - `.nfs*`: left by an NFS client for a file that was deleted while it was open (fs/nfs/unlink.c)
 */
export const COMMON_EXCLUDES: readonly string[] = [
  ".locks/",
  "*.incomplete",
  "*.matplotlib-lock",
  "*.db-shm",
  "lock.mdb",
  "*.thread-*-pid-*",
  "*.nb[ci].tmp.*",
  ".nfs*",
];

/**
 * Names of lock files, which are excluded if they are empty: filelock, fasteners and flock(1) make such files. `Cargo.lock`,
 * `uv.lock` and other lists of versions are data, and have content.
 */
export const EMPTY_LOCKS: readonly string[] = ["lock", "*.lock"];

/** datasets: unfinished data ends in `.incomplete`, with an `.incomplete_info.lock`; arrow files are `tmp` and 8 letters. */
const DATASETS = ["*_builder.lock", "*.incomplete_info.lock"];

/** The random part of a name from Python's tempfile (tempfile.py, _RandomNameSequence). */
const PYTHON_RANDOM = "[a-z0-9_]".repeat(8);

const cache = (below: string) => ({ base: "cache", below }) as const;
const home = (below: string) => ({ base: "home", below }) as const;

/** In the order in which they are offered. Defaults are those of each tool's own documentation. */
export const PRESETS: readonly Preset[] = [
  {
    name: "HF_HOME",
    tool: "Hugging Face",
    holds: "models and datasets",
    usualPath: cache("huggingface"),
    exclude: [...DATASETS, "/datasets/_*.lock", "/datasets/downloads/*.lock", `/datasets/**/tmp${PYTHON_RANDOM}`],
  },
  {
    name: "TORCH_HOME",
    tool: "PyTorch",
    holds: "models of torch.hub",
    usualPath: cache("torch"),
    // torch.hub (hub.py, download_url_to_file).
    exclude: ["/hub/*.partial", "/hub/checkpoints/*.partial"],
  },
  {
    name: "HF_HUB_CACHE",
    tool: "Hugging Face",
    holds: "models and datasets of the hub",
    usualPath: cache("huggingface/hub"),
    exclude: [],
  },
  {
    name: "HF_DATASETS_CACHE",
    tool: "Hugging Face",
    holds: "prepared datasets",
    usualPath: cache("huggingface/datasets"),
    exclude: [...DATASETS, "/_*.lock", "/downloads/*.lock", `tmp${PYTHON_RANDOM}`],
  },
  {
    name: "TRANSFORMERS_CACHE",
    tool: "Transformers before 5",
    holds: "models",
    usualPath: cache("huggingface/transformers"),
    caution: "deprecated: HF_HOME covers it",
    exclude: [],
  },
  {
    name: "SENTENCE_TRANSFORMERS_HOME",
    tool: "Sentence Transformers",
    holds: "models",
    usualPath: cache("torch/sentence_transformers"),
    exclude: [],
  },
  { name: "NLTK_DATA", tool: "NLTK", holds: "corpora", usualPath: home("nltk_data"), exclude: [] },
  {
    name: "KERAS_HOME",
    tool: "Keras",
    holds: "weights, datasets and keras.json",
    usualPath: home(".keras"),
    exclude: [],
  },
  {
    name: "TFDS_DATA_DIR",
    tool: "TensorFlow Datasets",
    holds: "datasets",
    usualPath: home("tensorflow_datasets"),
    exclude: ["*.incomplete*", "incomplete.*"],
  },
  {
    name: "OLLAMA_MODELS",
    tool: "Ollama",
    holds: "models",
    usualPath: home(".ollama/models"),
    exclude: ["blobs/*-partial*"],
  },
  {
    name: "KAGGLEHUB_CACHE",
    tool: "KaggleHub",
    holds: "models and datasets",
    usualPath: cache("kagglehub"),
    exclude: [],
  },
  {
    name: "MODELSCOPE_CACHE",
    tool: "ModelScope",
    holds: "models and datasets",
    usualPath: cache("modelscope"),
    exclude: ["._____temp/", ".lock/"],
  },
  { name: "WANDB_CACHE_DIR", tool: "Weights & Biases", holds: "artifacts", usualPath: cache("wandb"), exclude: [] },
  {
    name: "PIP_CACHE_DIR",
    tool: "pip",
    holds: "downloads and wheels",
    usualPath: cache("pip"),
    redirect: "scratch",
    exclude: ["/http*/**/*.tmp"],
  },
  {
    name: "UV_CACHE_DIR",
    tool: "uv",
    holds: "downloads and wheels",
    usualPath: cache("uv"),
    redirect: "scratch",
    caution: "environments elsewhere become copies, not links",
    // tempfile::tempdir_in(cache.root()) of uv makes `.tmp` and 6 letters.
    exclude: ["/.lock", "/sdists-v*/**/.lock", "/.tmp??????"],
  },
  {
    name: "CONDA_PKGS_DIRS",
    tool: "conda",
    holds: "packages",
    usualPath: home(".conda/pkgs"),
    // conda (core/package_cache_data.py, base/constants.py).
    exclude: ["/*.partial", "/*.part", "*.c~"],
  },
  { name: "PIXI_CACHE_DIR", tool: "pixi", holds: "packages", usualPath: cache("pixi"), exclude: [] },
  { name: "POETRY_CACHE_DIR", tool: "Poetry", holds: "packages", usualPath: cache("pypoetry"), exclude: [] },
  { name: "npm_config_cache", tool: "npm", holds: "packages", usualPath: home(".npm"), exclude: ["/_cacache/tmp/"] },
  {
    name: "GOMODCACHE",
    tool: "Go",
    holds: "modules",
    usualPath: home("go/pkg/mod"),
    // cmd/go (modfetch/fetch.go).
    exclude: ["/cache/lock", "@v/*.lock", "/cache/download/**/*.tmp", "*.tmp-*/"],
  },
  {
    name: "TRITON_CACHE_DIR",
    tool: "Triton",
    holds: "compiled kernels",
    usualPath: home(".triton/cache"),
    redirect: "node",
    exclude: [],
  },
  {
    name: "TORCHINDUCTOR_CACHE_DIR",
    tool: "PyTorch Inductor",
    holds: "compiled kernels",
    redirect: "node",
    exclude: [],
  },
  {
    name: "CUDA_CACHE_PATH",
    tool: "CUDA",
    holds: "kernels compiled for a GPU",
    usualPath: home(".nv/ComputeCache"),
    redirect: "node",
    exclude: [],
  },
  {
    name: "APPTAINER_CACHEDIR",
    tool: "Apptainer",
    holds: "layers of images",
    usualPath: home(".apptainer/cache"),
    exclude: [],
  },
  {
    name: "XDG_CACHE_HOME",
    tool: "many programs",
    holds: "all their caches",
    usualPath: cache(""),
    caution: "large; contains most of the others",
    exclude: [],
  },
];

/**
 * A preset's default directory as text for `source`: `~/.cache/huggingface`, or below XDG_CACHE_HOME if that is set. Undefined
 * for a variable without a lasting directory.
 */
export function defaultSource(preset: Preset, env: Readonly<Record<string, string>>): string | undefined {
  if (preset.usualPath === undefined) return undefined;
  const { base, below } = preset.usualPath;
  const root = base === "home" ? "~" : preset.name !== "XDG_CACHE_HOME" && env.XDG_CACHE_HOME || "~/.cache";
  return below === "" ? root : `${root}/${below}`;
}
