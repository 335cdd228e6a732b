// Wheels built for one accelerator (`torch==2.4.0+cu121`) are on an index of their own; this finds it. Pure.
import { CliError } from "../errors/errors.ts";

/** The base URL of the PyTorch project's indexes, one for each accelerator. */
const PYTORCH_INDEX = "https://download.pytorch.org/whl";

/** The projects published there; other projects may use the same suffix for their own wheels. */
const PYTORCH_PROJECTS = new Set([
  "fbgemm-gpu",
  "pytorch-triton",
  "pytorch-triton-rocm",
  "pytorch-triton-xpu",
  "tensordict",
  "torch",
  "torchao",
  "torchaudio",
  "torchcodec",
  "torchdata",
  "torchrec",
  "torchrl",
  "torchserve",
  "torchtext",
  "torchtune",
  "torchvision",
  "triton",
  "xformers",
]);

const REQUIREMENT_REGEXP = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:===|==|~=|>=|<=|>|<)\s*([^\s;,]+)/;
const ACCELERATOR_REGEXP = /\+(cpu|xpu|cu\d{2,3}|rocm\d+(?:\.\d+)*)$/i;

/** An accelerator (`cu121`) and the index that has its wheels. */
export interface WheelIndex {
  readonly accelerator: string;
  readonly url: string;
}

/**
 * The index that PyTorch requirements with a suffix need, or undefined if none has one.
 * Throws a CliError `usage` if they ask for more than one: no environment can hold two.
 */
export function wheelIndexFor(requirements: readonly string[]): WheelIndex | undefined {
  const found = new Map<string, string>();
  for (const requirement of requirements) {
    const match = REQUIREMENT_REGEXP.exec(requirement);
    const project = match?.[1]?.toLowerCase().replace(/[._-]+/g, "-");
    const accelerator = ACCELERATOR_REGEXP.exec(match?.[2] ?? "")?.[1]?.toLowerCase();
    if (project === undefined || accelerator === undefined || !PYTORCH_PROJECTS.has(project)) continue;
    if (!found.has(accelerator)) found.set(accelerator, requirement.trim());
  }
  const [first, second] = found;
  if (first === undefined) return undefined;
  if (second !== undefined) {
    throw new CliError(
      "usage",
      `Cannot install "${first[1]}" with "${second[1]}": they are built for different hardware`,
      {
        hint: `give all of them the same suffix, +${first[0]} or +${second[0]}`,
      },
    );
  }
  return { accelerator: first[0], url: `${PYTORCH_INDEX}/${first[0]}` };
}
