// `config validate`: everything that is wrong with a configuration, each fault with its line and column.
import * as v from "valibot";
import { countOf } from "../contract/answer_fields.ts";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { type Fault, listConfigFaults, locateField } from "../config/config_faults.ts";
import { configPath, parseConfig, readConfigText, readSiteLayers } from "../config/config_file.ts";
import type { SiteLayers } from "../config/site.ts";
import { fieldName } from "../config/field_names.ts";
import { listProblemsHere } from "../config/config_review.ts";
import { type AbsolutePath, resolvePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import { type RequestOf, text } from "../contract/fields.ts";
import { formatCount } from "../text/format.ts";
import { shortenMessage } from "../text/shorten.ts";

const FIELDS = {
  file: text("The file to check, if not the configuration in use", { placement: "argument", placeholder: "FILE" }),
};

const FAULT_SCHEMA = v.object({
  severity: v.picklist(["error", "warning"]),
  kind: v.pipe(
    v.picklist(["syntax", "value", "machine"]),
    v.description("syntax: no JSON; value: not what the field holds; machine: does not work on this machine"),
  ),
  field: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
  line: countOf("From 1"),
  column: countOf("From 1"),
});

const ANSWER_SCHEMA = v.object({
  ok: v.boolean(),
  command: v.literal("config-validate"),
  config_path: v.string(),
  faults: v.array(FAULT_SCHEMA),
  exit_code: v.picklist([0, 2]),
});

type ValidateAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Lists every fault and warning; the exit code is 2 if any of them is an error. */
export const configValidate = defineCommand({
  name: "config validate",
  summary: "List everything that is wrong with the configuration",
  description:
    "Each fault is printed as FILE:LINE:COLUMN. Unknown fields and variables that are not set on this machine are " +
    "warnings; with an error among the faults the exit code is 2.",
  examples: [
    { command: "euler-files config validate", does: "Check the configuration in use" },
    { command: "euler-files config validate draft.json", does: "Check another file" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  stdoutUse: "data",
  run: runValidate,
  render: renderValidate,
});

async function runValidate({ file }: RequestOf<typeof FIELDS>, context: Context): Promise<ValidateAnswer> {
  const { env, cwd } = context.system;
  const path = file === undefined
    ? configPath({ config: context.configOption }, env, cwd)
    : resolvePath(file, env, cwd, { label: "FILE", kind: "usage" });
  const content = await readConfigText(path);
  if (content === undefined) {
    throw new CliError("not-found", `Cannot find the configuration "${path}"`, {
      hint: "make one with `euler-files init`",
    });
  }
  const layers = await readSiteLayers(env);
  const faults: ValidateAnswer["faults"] = listConfigFaults(content, layers);
  if (!hasError(faults)) faults.push(...await faultsHere(content, path, layers, env));
  const ok = !hasError(faults);
  return { ok, command: "config-validate", config_path: path, faults, exit_code: ok ? 0 : 2 };
}

function hasError(faults: readonly { readonly severity: Fault["severity"] }[]): boolean {
  return faults.some(({ severity }) => severity === "error");
}

async function faultsHere(
  content: string,
  path: AbsolutePath,
  layers: SiteLayers,
  env: Readonly<Record<string, string>>,
): Promise<ValidateAnswer["faults"]> {
  const problems = listProblemsHere(await parseConfig(content, path, layers), path, env);
  return problems.map(({ field, message, hint, ...rest }) => ({
    ...rest,
    message: shortenMessage(message),
    ...(hint === undefined ? {} : { hint: shortenMessage(hint) }),
    kind: "machine",
    field: fieldName(field),
    ...locateField(content, field),
  }));
}

function renderValidate({ config_path, faults, ok }: ValidateAnswer, styles: Styles): Rendered {
  const style = styles.stdout;
  const mark = { error: style.red("error:"), warning: style.yellow("warning:") };
  const lines = faults.map(({ severity, message, hint, line, column }) =>
    `${config_path}:${line}:${column}: ${mark[severity]} ${message}${hint === undefined ? "" : ` (${hint})`}\n`
  );
  const errors = faults.filter(({ severity }) => severity === "error").length;
  const count = faults.length - errors;
  const warnings = count === 0 ? "" : `, with ${formatCount(count)} ${count === 1 ? "warning" : "warnings"}`;
  const verdict = ok
    ? `${config_path} is valid${warnings}\n`
    : `${formatCount(errors)} ${errors === 1 ? "error" : "errors"} in ${config_path}\n`;
  return { stdout: lines.join(""), stderr: verdict };
}
