// `euler-files apptainer prune`: removes an image, its environment, or both.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { planPrune, prune, type PruneMode, type PrunePlan, type PruneTarget } from "../apptainer/prune.ts";
import { type ImageSetting, loadSetting } from "../apptainer/setting.ts";
import { allocatedBytesOf, bytesOf } from "../contract/answer_fields.ts";
import { FAILURE_SCHEMA, failureOf } from "../runs/failures.ts";
import { CliError } from "../errors/errors.ts";
import { choice, flag, type RequestOf, text } from "../contract/fields.ts";
import { formatFiles, formatSize, listSome } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";
import { commandLine } from "../shell/quote.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { renderTable } from "../text/table.ts";
import { hasOwnFiles, type OwnFiles } from "../venv/own_files.ts";
import {
  countOwnFiles,
  describeOwnFiles,
  nameOwnFiles,
  OWN_FILES_ENTRIES,
  ownFilesText,
} from "../venv/own_files_text.ts";
import { listVenvs } from "../venv/venv.ts";

const MODES = ["both", "venv", "sif"] as const;

const fields = {
  imageName: text("The image or environment; without it and with a terminal, a list to choose from", {
    placement: "argument",
    placeholder: "IMAGE_NAME",
    completion: "image",
    aliases: ["venv_name"],
  }),
  mode: choice(MODES, "What to remove; both if not given", { placeholder: "MODE", restricts: true }),
  dryRun: flag("Show what would be removed"),
  yes: flag("Do not ask", { short: "-y" }),
  deleteOwnFiles: flag("Remove an environment with files that no package brought, or that were changed since"),
};

const target = v.object({
  kind: v.picklist(["venv", "sif", "def", "requirements", "scratch sif", "wrappers"]),
  path: v.string(),
  size: v.pipe(v.string(), v.description("For people")),
  size_bytes: bytesOf("What it holds"),
});

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("apptainer-prune"),
  status: v.picklist(["pruned", "partial", "dry-run", "nothing-to-prune"]),
  image_name: v.string(),
  mode: v.picklist(MODES),
  targets: v.array(target),
  deleted: v.array(target),
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  freed_bytes: allocatedBytesOf("What was removed, in a dry run what would be"),
  ...OWN_FILES_ENTRIES,
  dry_run: v.boolean(),
  yes: v.boolean(),
});

type PruneAnswer = Answer & v.InferOutput<typeof answer>;
type Request = RequestOf<typeof fields>;

export default defineCommand({
  name: "apptainer prune",
  summary: "Remove an image, its environment, or both",
  description:
    "Takes names, never paths, and removes only what the configuration's directories hold under that name, and " +
    "the wrappers that `venv wrap` recorded for it.",
  examples: [
    { command: "euler-files apptainer prune my-old-env", does: "The environment and its image, after a question" },
    { command: "euler-files apptainer prune my-old-env --mode sif --yes", does: "Only the image, at once" },
    { command: "euler-files apptainer prune my-old-env --dry-run", does: "What would go, and how much it frees" },
  ],
  fields,
  answer,
  ask: askWhat,
  async run(request, { system, configOption }): Promise<PruneAnswer> {
    const setting = await loadSetting(configOption, system);
    const name = request.imageName;
    if (name === undefined) {
      throw new CliError("usage", "Missing the name of the image", { hint: "euler-files apptainer prune IMAGE_NAME" });
    }
    const mode = request.mode ?? "both";
    // A killed removal may have renamed the environment: then the plan finds none and takes no lock, so remove the rest here.
    if (request.yes && !request.dryRun) await sweepDirectory(setting.venvBase);
    const plan = await planPrune(setting, name, mode, system);
    const own = describeOwnFiles(ownFilesOf(plan));
    const common = { ok: true, command: "apptainer-prune" as const, image_name: name, mode, yes: request.yes, ...own };
    const targets = plan.targets.map(describeTarget);
    if (plan.targets.length === 0 && plan.entry !== "remove") {
      await refuseUnknown(setting, name, plan);
      return {
        ...common,
        status: "nothing-to-prune",
        targets,
        deleted: [],
        errors: [],
        failures: [],
        freed_bytes: 0,
        dry_run: request.dryRun,
      };
    }
    if (request.dryRun) {
      return {
        ...common,
        status: "dry-run",
        targets,
        deleted: [],
        errors: [],
        failures: [],
        freed_bytes: freed(plan.targets),
        dry_run: true,
      };
    }
    if (!request.yes) {
      throw new CliError("refused", `Cannot remove "${name}" without a confirmation`, {
        hint: "add --yes, or --dry-run to see what would go",
      });
    }
    const ownFiles = request.deleteOwnFiles ? "delete" : { refuse: deletingCommand(name, request.mode) };
    const outcome = await prune(plan, ownFiles, setting, system);
    return {
      ...common,
      ok: outcome.failed.length === 0,
      status: outcome.failed.length === 0 ? "pruned" : "partial",
      targets,
      deleted: outcome.deleted.map(describeTarget),
      errors: outcome.failed.map(({ message }) => message),
      failures: outcome.failed.map(({ target, message }) =>
        failureOf(target.path, new CliError("file-system", message))
      ),
      freed_bytes: freed(outcome.deleted),
      dry_run: false,
    };
  },
  render(answer, { stderr: style }) {
    if (answer.status === "nothing-to-prune") {
      return { stderr: `There is nothing to remove of "${answer.image_name}"\n` };
    }
    const rows = (targets: PruneAnswer["targets"]) => renderTable(["", "Size", "Path"], targets.map(rowOf));
    if (answer.status === "dry-run") {
      const own = ownFilesText(answer.own_files_shown);
      return {
        stderr: `Would remove\n${rows(answer.targets)}and free ${formatSize(answer.freed_bytes)} on disk\n${own}`,
      };
    }
    const errors = answer.errors.map((error) => `${style.bold(style.red("error:"))} ${error}\n`).join("");
    const removed = answer.deleted.length === 0 ? "" : rows(answer.deleted);
    return { stderr: `${removed}Freed ${formatSize(answer.freed_bytes)} on disk\n${errors}` };
  },
});

function ownFilesOf({ targets }: PrunePlan): OwnFiles | undefined {
  return targets.find(({ own }) => own !== undefined)?.own;
}

function deletingCommand(name: string, mode: PruneMode | undefined): string {
  const only = mode === undefined ? [] : ["--mode", mode];
  return commandLine(["euler-files", "apptainer", "prune", name, ...only, "--yes", "--delete-own-files"]);
}

function describeTarget({ kind, path, sizeBytes, inner, venv, wrappers }: PruneTarget): v.InferOutput<typeof target> {
  const note = venv?.kind === "link"
    ? " (only the link)"
    : inner !== undefined && inner.length > 0
    ? `, with the environments inside it: ${inner.join(", ")}`
    : wrappers !== undefined
    ? `, ${formatFiles(wrappers.length)}: ${listSome(wrappers)}`
    : "";
  return { kind, path, size: formatSize(sizeBytes) + note, size_bytes: sizeBytes };
}

function rowOf(one: v.InferOutput<typeof target>): string[] {
  return [`  ${one.kind}`, one.size, one.path];
}

function freed(targets: readonly PruneTarget[]): number {
  return targets.reduce((total, { allocatedBytes }) => total + allocatedBytes, 0);
}

/** An unknown name was probably mistyped, so "nothing to do" would be the wrong answer. */
async function refuseUnknown(setting: ImageSetting, name: string, plan: PrunePlan): Promise<void> {
  const venvs = (await listVenvs(setting.venvBase)).map((venv) => venv.name);
  const known = [...new Set([...Object.keys(setting.section.images), ...venvs])];
  if (known.includes(name) || known.includes(plan.paths.venvName)) return;
  const near = closestString(name, known);
  throw new CliError("usage", `Cannot find an image or environment "${name}"`, {
    hint: near !== undefined ? `did you mean "${near}"?` : `there are ${known.join(", ") || "none"}`,
  });
}

async function askWhat(request: Request, context: Context): Promise<Request> {
  const { system, prompt } = context;
  const setting = await loadSetting(context.configOption, system);
  const imageName = request.imageName ?? await askName(setting, context);
  if (imageName === undefined) return request;
  if (request.yes || request.dryRun) return { ...request, imageName };
  const mode = request.mode ?? await prompt.select<PruneMode>({
    message: `What should be removed of "${imageName}"?`,
    options: [
      { value: "sif", label: "the image", hint: "the environment stays" },
      { value: "venv", label: "the environment", hint: "the image stays" },
      { value: "both", label: "environment and image" },
    ],
  });
  const plan = await planPrune(setting, imageName, mode, system);
  if (plan.targets.length === 0) return { ...request, imageName, mode };
  prompt.note(renderTable(["", "Size", "Path"], plan.targets.map(describeTarget).map(rowOf)), "To be removed");
  const own = ownFilesOf(plan);
  const hasOwn = own !== undefined && hasOwnFiles(own);
  if (hasOwn) prompt.note(nameOwnFiles(own).join("\n"), countOwnFiles(own));
  if (!await prompt.confirm({ message: `Remove it and free ${formatSize(freed(plan.targets))}?`, initial: false })) {
    throw new CliError("declined", "Nothing was removed");
  }
  return { ...request, imageName, mode, yes: true, deleteOwnFiles: hasOwn || request.deleteOwnFiles };
}

async function askName(setting: ImageSetting, { prompt }: Context): Promise<string | undefined> {
  const venvs = (await listVenvs(setting.venvBase)).map((venv) => venv.name);
  const names = [...new Set([...Object.keys(setting.section.images), ...venvs])].sort();
  if (names.length === 0) return undefined;
  return await prompt.select({
    message: "Which one?",
    options: names.map((name) => ({
      value: name,
      label: name,
      hint: [
        venvs.includes(name) ? "environment" : "",
        Object.hasOwn(setting.section.images, name) ? "image" : "",
      ].filter((word) => word !== "").join(" and "),
    })),
  });
}
