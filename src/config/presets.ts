// Well-known cache variables: what each holds and where it is unless the variable says otherwise. Pure.
// Only what is worth copying is here; caches of compiled code belong on the node's own disk, and lists of directories
// (JULIA_DEPOT_PATH) can't be moved by naming one directory.

/** A variable people are likely to want. */
export interface Preset {
  readonly name: string;
  /** Who reads it. */
  readonly tool: string;
  readonly holds: string;
  /** Where it is by default, below the cache directory of the XDG base directory specification or below home. */
  readonly place: { readonly base: "cache" | "home"; readonly below: string };
  /** What to think of before managing it. */
  readonly caution?: string;
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
  },
  { name: "TORCH_HOME", tool: "PyTorch", holds: "models of torch.hub", place: cache("torch") },
  {
    name: "HF_HUB_CACHE",
    tool: "Hugging Face",
    holds: "models and datasets of the hub",
    place: cache("huggingface/hub"),
  },
  {
    name: "HF_DATASETS_CACHE",
    tool: "Hugging Face",
    holds: "prepared datasets",
    place: cache("huggingface/datasets"),
  },
  {
    name: "TRANSFORMERS_CACHE",
    tool: "Transformers before 5",
    holds: "models",
    place: cache("huggingface/transformers"),
    caution: "deprecated: HF_HOME covers it",
  },
  {
    name: "SENTENCE_TRANSFORMERS_HOME",
    tool: "Sentence Transformers",
    holds: "models",
    place: cache("torch/sentence_transformers"),
  },
  { name: "NLTK_DATA", tool: "NLTK", holds: "corpora", place: home("nltk_data") },
  { name: "KERAS_HOME", tool: "Keras", holds: "weights, datasets and keras.json", place: home(".keras") },
  { name: "TFDS_DATA_DIR", tool: "TensorFlow Datasets", holds: "datasets", place: home("tensorflow_datasets") },
  { name: "OLLAMA_MODELS", tool: "Ollama", holds: "models", place: home(".ollama/models") },
  { name: "KAGGLEHUB_CACHE", tool: "KaggleHub", holds: "models and datasets", place: cache("kagglehub") },
  { name: "MODELSCOPE_CACHE", tool: "ModelScope", holds: "models and datasets", place: cache("modelscope") },
  { name: "WANDB_CACHE_DIR", tool: "Weights & Biases", holds: "artifacts", place: cache("wandb") },
  { name: "PIP_CACHE_DIR", tool: "pip", holds: "downloads and wheels", place: cache("pip") },
  {
    name: "UV_CACHE_DIR",
    tool: "uv",
    holds: "downloads and wheels",
    place: cache("uv"),
    caution: "environments elsewhere become copies, not links",
  },
  { name: "CONDA_PKGS_DIRS", tool: "conda", holds: "packages", place: home(".conda/pkgs") },
  { name: "PIXI_CACHE_DIR", tool: "pixi", holds: "packages", place: cache("pixi") },
  { name: "POETRY_CACHE_DIR", tool: "Poetry", holds: "packages", place: cache("pypoetry") },
  { name: "npm_config_cache", tool: "npm", holds: "packages", place: home(".npm") },
  { name: "GOMODCACHE", tool: "Go", holds: "modules", place: home("go/pkg/mod") },
  { name: "APPTAINER_CACHEDIR", tool: "Apptainer", holds: "layers of images", place: home(".apptainer/cache") },
  {
    name: "XDG_CACHE_HOME",
    tool: "many programs",
    holds: "all their caches",
    place: cache(""),
    caution: "large; contains most of the others",
  },
];

/** A preset's default place as text for `source`: `~/.cache/huggingface`, or below XDG_CACHE_HOME where that is set. */
export function defaultSource(preset: Preset, env: Readonly<Record<string, string>>): string {
  const { base, below } = preset.place;
  const root = base === "home" ? "~" : preset.name !== "XDG_CACHE_HOME" && env.XDG_CACHE_HOME || "~/.cache";
  return below === "" ? root : `${root}/${below}`;
}
