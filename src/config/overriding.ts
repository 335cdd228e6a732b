// Which variables override a managed one for a part of its directory: a client that has HF_HUB_CACHE does not look into
// HF_HOME for models. From the clients' own code and documentation, named beside each list. Pure.
import { PRESETS } from "./presets.ts";

/** A variable that a client reads before the managed one. */
export interface Overriding {
  readonly name: string;
  /** The client ignores it if one of these is set. */
  readonly unless?: readonly string[];
}

/** huggingface_hub/constants.py and transformers/utils/hub.py: an old name is used if the new one is not set. */
const MODELS: readonly Overriding[] = [
  { name: "HUGGINGFACE_HUB_CACHE", unless: ["HF_HUB_CACHE"] },
  { name: "TRANSFORMERS_CACHE" },
  { name: "PYTORCH_TRANSFORMERS_CACHE", unless: ["TRANSFORMERS_CACHE"] },
  { name: "PYTORCH_PRETRAINED_BERT_CACHE", unless: ["TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE"] },
  { name: "SENTENCE_TRANSFORMERS_HOME" },
];

/** datasets/config.py */
const DATASETS: readonly Overriding[] = [
  { name: "HF_DATASETS_DOWNLOADED_DATASETS_PATH" },
  { name: "HF_DATASETS_EXTRACTED_DATASETS_PATH" },
];

/** huggingface_hub, datasets, transformers, evaluate/config.py, lerobot/constants.py */
const HUGGING_FACE: readonly Overriding[] = [
  { name: "HF_HUB_CACHE" },
  ...MODELS,
  { name: "HF_XET_CACHE" },
  { name: "HF_ASSETS_CACHE" },
  { name: "HUGGINGFACE_ASSETS_CACHE", unless: ["HF_ASSETS_CACHE"] },
  { name: "HF_DATASETS_CACHE" },
  ...DATASETS,
  { name: "HF_MODULES_CACHE" },
  { name: "HF_METRICS_CACHE" },
  { name: "HF_EVALUATE_CACHE" },
  { name: "HF_LEROBOT_HOME" },
];

/** Programs whose default is below XDG_CACHE_HOME and that are not presets: vLLM, Go, matplotlib, pre-commit, rattler. */
const BELOW_XDG_CACHE_HOME = [
  "VLLM_CACHE_ROOT",
  "GOCACHE",
  "MPLCONFIGDIR",
  "PRE_COMMIT_HOME",
  "RATTLER_CACHE_DIR",
  "PYTORCH_KERNEL_CACHE_PATH",
];

const OVERRIDING: Readonly<Record<string, readonly Overriding[]>> = {
  HF_HOME: HUGGING_FACE,
  HF_HUB_CACHE: MODELS.filter(({ name }) => name !== "HUGGINGFACE_HUB_CACHE"),
  HF_DATASETS_CACHE: DATASETS,
  // `go help environment`
  GOPATH: [{ name: "GOMODCACHE" }, { name: "GOBIN" }],
  // triton/knobs.py
  TRITON_HOME: [{ name: "TRITON_CACHE_DIR" }],
  // poetry/config/config.py: virtualenvs.path is {cache-dir}/virtualenvs
  POETRY_CACHE_DIR: [{ name: "POETRY_VIRTUALENVS_PATH" }],
  // npm reads both, in capitals as well
  npm_config_cache: [{ name: "NPM_CONFIG_CACHE" }],
  XDG_CACHE_HOME: [
    ...PRESETS.filter(({ name, usualPath }) => usualPath?.base === "cache" && name !== "XDG_CACHE_HOME"),
    ...BELOW_XDG_CACHE_HOME.map((name) => ({ name })),
    ...HUGGING_FACE,
  ],
};

/** The variables that a client reads before this one. */
export function listOverriding(name: string): readonly Overriding[] {
  return Object.hasOwn(OVERRIDING, name) ? OVERRIDING[name]! : [];
}
