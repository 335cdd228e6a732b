// `euler-files apptainer list`: the images, whether they match their environments, and whether they are on scratch.
import * as v from "valibot";
import { bytesOf, roundSeconds, secondsOf, timeOf } from "../contract/answer_fields.ts";
import { type Answer, defineCommand } from "../contract/command.ts";
import {
  type Difference,
  DIFFERENCES,
  differenceText,
  findDifferences,
  findFileDifferences,
} from "../apptainer/differences.ts";
import { imageFreshness, observeImage } from "../apptainer/image_sync.ts";
import { imageState, readInputs } from "../apptainer/inputs.ts";
import { imagePathsOf, type ImageSetting, loadSetting, recordOf } from "../apptainer/setting.ts";
import { CliError } from "../errors/errors.ts";
import { formatAge, formatSize, listSome } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { renderTable } from "../text/table.ts";

const STATES = ["up to date", "outdated", "missing", "unknown", "no environment"] as const;
const ON_SCRATCH = ["fresh", "stale", "missing", "source-missing", "unknown"] as const;

const image = v.object({
  name: v.string(),
  venv_name: v.string(),
  python_version: v.string(),
  sif_path: v.string(),
  size_bytes: v.nullable(bytesOf("The image in the store, null if it is missing")),
  built_at: timeOf("When it was built"),
  age_seconds: secondsOf("How long ago it was built"),
  enabled: v.boolean(),
  state: v.pipe(v.picklist(STATES), v.description("Whether the image still matches its environment")),
  differences: v.pipe(
    v.array(v.object({
      what: v.picklist(DIFFERENCES),
      name: v.pipe(
        v.nullable(v.string()),
        v.description("The package, or the path of a file that was changed by hand"),
      ),
      built: v.nullable(v.string()),
      now: v.nullable(v.string()),
    })),
    v.description("What makes an outdated image differ from its environment and settings"),
  ),
  on_scratch: v.picklist(ON_SCRATCH),
  scratch_path: v.nullable(v.string()),
});

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("apptainer-list"),
  sif_store: v.string(),
  images: v.array(image),
});

type ListAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "apptainer list",
  summary: "List the images",
  examples: [{ command: "euler-files apptainer list", does: "Each image: up to date? on scratch?" }],
  fields: {},
  answer,
  async run(_request, { system, configOption }): Promise<ListAnswer> {
    const setting = await loadSetting(configOption, system);
    const images = await Promise.all(
      Object.keys(setting.section.images).map((name) => describe(setting, name, system)),
    );
    return { ok: true, command: "apptainer-list", sif_store: setting.sifStore, images };
  },
  render(answer, { stdout: style }) {
    if (answer.images.length === 0) {
      return { stderr: "There are no images yet: `euler-files apptainer build VENV_NAME` makes one\n" };
    }
    const rows = answer.images.map((one) => [
      one.enabled ? one.name : `${one.name} (disabled)`,
      one.venv_name,
      one.python_version,
      one.size_bytes === null ? "-" : formatSize(one.size_bytes),
      `${formatAge(one.age_seconds)} ago`,
      one.state,
      one.on_scratch.replace("-", " "),
    ]);
    const head = ["Name", "Environment", "Python", "Size", "Built", "State", "On scratch"];
    const differences = answer.images.filter((one) => one.differences.length > 0).map((one) =>
      `${one.name}: ${listSome(one.differences.map(differenceText), 8)}\n`
    );
    const stderr = differences.length === 0
      ? {}
      : { stderr: `\nChanged since they were built:\n${differences.join("")}` };
    return { stdout: renderTable(head.map(style.bold), rows), ...stderr };
  },
});

async function describe(setting: ImageSetting, name: string, system: System): Promise<v.InferOutput<typeof image>> {
  const paths = imagePathsOf(setting, name);
  const record = recordOf(setting.section, name)!;
  const scratch = await observeImage(setting, name, system.env).catch((error) => {
    // Without $SCRATCH the other columns are still known.
    if (error instanceof CliError && error.kind === "config") return undefined;
    throw error;
  });
  const info = scratch?.source ?? await Deno.stat(paths.sif).catch(() => undefined);
  return {
    name,
    venv_name: paths.venvName,
    python_version: record.python_version,
    sif_path: paths.sif,
    size_bytes: info?.size ?? null,
    built_at: record.built_at,
    age_seconds: roundSeconds(Math.max(0, system.now() / 1000 - record.built_at)),
    enabled: record.enabled,
    ...await stateOf(setting, name, system),
    on_scratch: scratch === undefined ? "unknown" : imageFreshness(scratch),
    scratch_path: scratch?.scratch.target ?? null,
  };
}

async function stateOf(
  setting: ImageSetting,
  name: string,
  system: System,
): Promise<{ state: typeof STATES[number]; differences: Difference[] }> {
  const paths = imagePathsOf(setting, name);
  const record = recordOf(setting.section, name);
  try {
    const inputs = await readInputs(setting, paths, system);
    const state = await imageState(paths, record, inputs);
    if (state === "outdated") return { state, differences: await findDifferences(setting, paths, inputs) };
    const differences = state === "up to date" ? await findFileDifferences(record, inputs.venv.path, system) : [];
    return { state: differences.length > 0 ? "outdated" : state, differences };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const state = await imageState(paths, record, undefined);
    return { state: state === "up to date" ? "no environment" : state, differences: [] };
  }
}
