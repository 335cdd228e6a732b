// `euler-files venv remove`: removes one Python environment. Its images stay; `apptainer prune` is for those.
import * as v from "valibot";
import { bytesOf, countOf } from "../contract/answer_fields.ts";
import { type Answer, defineCommand } from "../contract/command.ts";
import { CliError } from "../errors/errors.ts";
import { flag, type RequestOf, text } from "../contract/fields.ts";
import { formatFiles, formatSize } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";
import { commandLine } from "../shell/quote.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { lockVenv, readConfigIfExists, resolveVenvBase } from "../venv/base.ts";
import { measureTree } from "../transfer/measure.ts";
import { findOwnFiles, hasOwnFiles } from "../venv/own_files.ts";
import {
  countOwnFiles,
  describeOwnFiles,
  nameOwnFiles,
  OWN_FILES_ENTRIES,
  ownFilesError,
  ownFilesText,
} from "../venv/own_files_text.ts";
import { findRemovable, innerVenvs, removeVenv } from "../venv/remove.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  name: text("The environment", {
    placement: "argument",
    placeholder: "NAME",
    required: true,
    completion: "environment",
  }),
  venvBase: text("Directory of the environments, instead of the configured one or $VENV_DIR", {
    placeholder: "DIR",
    variable: "VENV_DIR",
  }),
  dryRun: flag("Show what would be removed"),
  yes: flag("Do not ask", { short: "-y" }),
  deleteOwnFiles: flag("Remove it with files that no package brought, or that were changed since"),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("venv-remove"),
  name: v.string(),
  path: v.string(),
  kind: v.pipe(v.picklist(["directory", "link"]), v.description("Of a link, only the link itself is removed")),
  inner: v.pipe(v.array(v.string()), v.description("Environments inside this one, which go with it")),
  ...OWN_FILES_ENTRIES,
  files: countOf("Files in it"),
  size_bytes: bytesOf("What is in it"),
  dry_run: v.boolean(),
  status: v.picklist(["removed", "dry-run"]),
});

type RemoveAnswer = Answer & v.InferOutput<typeof answer>;

/** A command that removes things waits this long for the holder of a lock, and then names the holder. */
const LOCK_SECONDS = 2;

export default defineCommand({
  name: "venv remove",
  summary: "Remove a Python environment",
  description: "Images built from it stay; `euler-files apptainer prune` removes those as well.",
  examples: [
    { command: "euler-files venv remove my-old-env --dry-run", does: "Show what would go" },
    { command: "euler-files venv remove my-old-env --yes", does: "Remove it without a question" },
  ],
  fields,
  answer,
  async ask(request, { system, configOption, prompt }) {
    const config = await readConfigIfExists(configOption, system);
    const base = resolveVenvBase({ option: request.venvBase, config }, system);
    const venvs = request.name === undefined ? await listVenvs(base) : [];
    if (request.name === undefined && venvs.length === 0) return request;
    const name = request.name ?? await prompt.select({
      message: "Which environment?",
      options: venvs.map((venv) => ({ value: venv.name, label: venv.name, hint: `Python ${venv.pythonVersion}` })),
    });
    if (request.dryRun || request.yes) return { ...request, name };
    const target = await findRemovable(base, name);
    const own = target?.kind === "directory" ? await findOwnFiles(target.path, system) : undefined;
    const hasOwn = own !== undefined && hasOwnFiles(own);
    if (hasOwn) prompt.note(nameOwnFiles(own).join("\n"), `${countOwnFiles(own)}`);
    const yes = await prompt.confirm({
      message: `Remove the environment "${name}" in ${base}${hasOwn ? ", with these files" : ""}?`,
      initial: false,
    });
    if (!yes) throw new CliError("declined", "Nothing was removed");
    return { ...request, name, yes, deleteOwnFiles: hasOwn || request.deleteOwnFiles };
  },
  async run(request, { system, configOption, report }): Promise<RemoveAnswer> {
    const config = await readConfigIfExists(configOption, system);
    const base = resolveVenvBase({ option: request.venvBase, config }, system);
    if (request.name === undefined) {
      throw new CliError("usage", "Missing the name of the environment", { hint: "euler-files venv remove NAME" });
    }
    const name = request.name;
    // A killed removal has renamed the environment: its name no longer exists, so there is no lock to take.
    if (!request.dryRun) await sweepDirectory(base);
    const target = await findRemovable(base, name);
    if (target === undefined) throw unknownVenv(name, base, (await listVenvs(base)).map((venv) => venv.name));
    if (!request.dryRun && !request.yes) {
      throw new CliError("refused", `Cannot remove the environment "${name}" without a confirmation`, {
        hint: "add --yes, or --dry-run to see what would go",
      });
    }
    const measure = target.kind === "link" ? undefined : await measureTree({ root: target.path }, system);
    const inner = target.kind === "link" ? [] : await innerVenvs(target.path);
    const look = async () => target.kind === "link" ? undefined : await findOwnFiles(target.path, system);
    let own = request.dryRun ? await look() : undefined;
    if (!request.dryRun) {
      await using _lock = await lockVenv(
        target.path,
        LOCK_SECONDS,
        system,
        (note) => report({ type: "note", text: note }),
      );
      own = await look();
      if (own !== undefined && hasOwnFiles(own) && !request.deleteOwnFiles) {
        throw ownFilesError(`Cannot remove the environment "${name}"`, own, deletingCommand(request, name));
      }
      await removeVenv(target);
    }
    return {
      ok: true,
      command: "venv-remove",
      name,
      path: target.path,
      kind: target.kind,
      inner,
      ...describeOwnFiles(own),
      files: measure?.files ?? 0,
      size_bytes: measure?.sizeBytes ?? 0,
      dry_run: request.dryRun,
      status: request.dryRun ? "dry-run" : "removed",
    };
  },
  render(answer) {
    const what = answer.kind === "link"
      ? `the link ${answer.path}`
      : `${answer.path} (${formatFiles(answer.files)}, ${formatSize(answer.size_bytes)})`;
    const inner = answer.inner.length === 0 ? "" : `, with the environments inside it: ${answer.inner.join(", ")}`;
    const own = answer.dry_run ? ownFilesText(answer.own_files_shown) : "";
    return { stderr: `${answer.dry_run ? "Would remove" : "Removed"} ${what}${inner}\n${own}` };
  },
});

function deletingCommand({ venvBase }: Pick<RequestOf<typeof fields>, "venvBase">, name: string): string {
  const base = venvBase === undefined ? [] : ["--venv-base", venvBase];
  return commandLine(["euler-files", "venv", "remove", name, ...base, "--yes", "--delete-own-files"]);
}

function unknownVenv(name: string, base: string, known: readonly string[]): CliError {
  const near = closestString(name, known);
  return new CliError("not-found", `Cannot find the environment "${name}" in "${base}"`, {
    hint: near === undefined ? "`euler-files venv list` lists those that exist" : `did you mean "${near}"?`,
  });
}
