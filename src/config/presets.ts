// Well-known cache variables: what each holds and where it is unless the variable says otherwise. Pure.
// Lists of directories (JULIA_DEPOT_PATH) are not here: they can't be moved by naming one directory.
import type { Tier } from "./tier.ts";

/** A variable people are likely to want. */
export interface Preset {
  readonly name: string;
  /** Who reads it. */
  readonly tool: string;
  readonly holds: string;
  /** Where it is by default, below the cache directory of the XDG base directory specification or below home. */
  readonly place?: { readonly base: "cache" | "home"; readonly below: string };
  /**
   * Proposed to be redirected to this tier instead of staged: a copy of it is worth nothing. Packages are downloaded again, and
   * compiled code is for one processor, in many small files.
   */
  readonly redirect?: Tier;
  /** What to think of before managing it. */
  readonly caution?: string;
  /** Patterns of what never travels: locks, and downloads that are not finished. */
  readonly exclude: readonly string[];
}

/** Left behind by NFS for a file that was deleted while it was open. */
const NFS = ".nfs*";

/** huggingface_hub: locks are empty files below `.locks`, a download ends in `.incomplete` until it is complete. */
const HUB = [".locks/", "*.incomplete", NFS];

/** datasets: empty lock files beside the data, some of them at the top; what is prepared ends in `.incomplete`. */
const DATASETS_LOCKS = ["*_builder.lock", "*.incomplete_info.lock"];

/** The patterns a variable has by default, if it is a well-known one. */
export function presetExcludes(name: string): readonly string[] | undefined {
  return PRESETS.find((preset) => preset.name === name)?.exclude;
}

const cache = (below: string) => ({ base: "cache", below }) as const;
const home = (below: string) => ({ base: "home", below }) as const;

/** In the order they are offered. Defaults are those of each tool's own documentation. */
export const PRESETS: readonly Preset[] = [
  {
    name: "HF_HOME",
    tool: "Hugging Face",
    holds: "models, datasets and your login token",
    place: cache("huggingface"),
    exclude: [...HUB, ...DATASETS_LOCKS, "/datasets/_*.lock", "/datasets/downloads/*.lock"],
  },
  {
    name: "TORCH_HOME",
    tool: "PyTorch",
    holds: "models of torch.hub",
    place: cache("torch"),
    exclude: ["/hub/*.partial", "/hub/checkpoints/*.partial", NFS],
  },
  {
    name: "HF_HUB_CACHE",
    tool: "Hugging Face",
    holds: "models and datasets of the hub",
    place: cache("huggingface/hub"),
    exclude: HUB,
  },
  {
    name: "HF_DATASETS_CACHE",
    tool: "Hugging Face",
    holds: "prepared datasets",
    place: cache("huggingface/datasets"),
    exclude: [...DATASETS_LOCKS, "/_*.lock", "/downloads/*.lock", "*.incomplete", NFS],
  },
  {
    name: "TRANSFORMERS_CACHE",
    tool: "Transformers before 5",
    holds: "models",
    place: cache("huggingface/transformers"),
    caution: "deprecated: HF_HOME covers it",
    exclude: HUB,
  },
  {
    name: "SENTENCE_TRANSFORMERS_HOME",
    tool: "Sentence Transformers",
    holds: "models",
    place: cache("torch/sentence_transformers"),
    exclude: HUB,
  },
  { name: "NLTK_DATA", tool: "NLTK", holds: "corpora", place: home("nltk_data"), exclude: [NFS] },
  {
    name: "KERAS_HOME",
    tool: "Keras",
    holds: "weights, datasets and keras.json",
    place: home(".keras"),
    exclude: [NFS],
  },
  {
    name: "TFDS_DATA_DIR",
    tool: "TensorFlow Datasets",
    holds: "datasets",
    place: home("tensorflow_datasets"),
    exclude: ["*.incomplete*", "incomplete.*", NFS],
  },
  {
    name: "OLLAMA_MODELS",
    tool: "Ollama",
    holds: "models",
    place: home(".ollama/models"),
    exclude: ["blobs/*-partial*", NFS],
  },
  {
    name: "KAGGLEHUB_CACHE",
    tool: "KaggleHub",
    holds: "models and datasets",
    place: cache("kagglehub"),
    exclude: [NFS],
  },
  {
    name: "MODELSCOPE_CACHE",
    tool: "ModelScope",
    holds: "models and datasets",
    place: cache("modelscope"),
    exclude: ["._____temp/", ".lock/", NFS],
  },
  { name: "WANDB_CACHE_DIR", tool: "Weights & Biases", holds: "artifacts", place: cache("wandb"), exclude: [NFS] },
  {
    name: "PIP_CACHE_DIR",
    tool: "pip",
    holds: "downloads and wheels",
    place: cache("pip"),
    redirect: "scratch",
    exclude: [NFS],
  },
  {
    name: "UV_CACHE_DIR",
    tool: "uv",
    holds: "downloads and wheels",
    place: cache("uv"),
    redirect: "scratch",
    caution: "environments elsewhere become copies, not links",
    exclude: ["/.lock", "/sdists-v*/**/.lock", NFS],
  },
  {
    name: "CONDA_PKGS_DIRS",
    tool: "conda",
    holds: "packages",
    place: home(".conda/pkgs"),
    exclude: ["/*.partial", NFS],
  },
  { name: "PIXI_CACHE_DIR", tool: "pixi", holds: "packages", place: cache("pixi"), exclude: [NFS] },
  { name: "POETRY_CACHE_DIR", tool: "Poetry", holds: "packages", place: cache("pypoetry"), exclude: [NFS] },
  { name: "npm_config_cache", tool: "npm", holds: "packages", place: home(".npm"), exclude: [NFS] },
  {
    name: "GOMODCACHE",
    tool: "Go",
    holds: "modules",
    place: home("go/pkg/mod"),
    exclude: ["/cache/lock", "@v/*.lock", NFS],
  },
  {
    name: "TRITON_CACHE_DIR",
    tool: "Triton",
    holds: "compiled kernels",
    place: home(".triton/cache"),
    redirect: "node",
    exclude: [NFS],
  },
  {
    name: "TORCHINDUCTOR_CACHE_DIR",
    tool: "PyTorch Inductor",
    holds: "compiled kernels",
    redirect: "node",
    exclude: [NFS],
  },
  {
    name: "CUDA_CACHE_PATH",
    tool: "CUDA",
    holds: "kernels compiled for a GPU",
    place: home(".nv/ComputeCache"),
    redirect: "node",
    exclude: [NFS],
  },
  {
    name: "APPTAINER_CACHEDIR",
    tool: "Apptainer",
    holds: "layers of images",
    place: home(".apptainer/cache"),
    exclude: [NFS],
  },
  {
    name: "XDG_CACHE_HOME",
    tool: "many programs",
    holds: "all their caches",
    place: cache(""),
    caution: "large; contains most of the others",
    exclude: HUB,
  },
];

/**
 * A preset's default place as text for `source`: `~/.cache/huggingface`, or below XDG_CACHE_HOME where that is set. Undefined for
 * a variable whose files have no lasting place.
 */
export function defaultSource(preset: Preset, env: Readonly<Record<string, string>>): string | undefined {
  if (preset.place === undefined) return undefined;
  const { base, below } = preset.place;
  const root = base === "home" ? "~" : preset.name !== "XDG_CACHE_HOME" && env.XDG_CACHE_HOME || "~/.cache";
  return below === "" ? root : `${root}/${below}`;
}
