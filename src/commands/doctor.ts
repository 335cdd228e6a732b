// `doctor`: checks everything that staging depends on, and says how to repair what is wrong. Leaves no changes behind.
import * as v from "valibot";
import { COUNT } from "../contract/answer_fields.ts";
import { type Context, defineCommand, type Rendered, type Style, type Styles } from "../contract/command.ts";
import type { Config } from "../config/config.ts";
import { type ConfigFile, configPath, parseJson, readConfig, readSiteLayers } from "../config/config_file.ts";
import { listProblemsHere } from "../config/config_review.ts";
import { describeLayers, type SiteLayers } from "../config/site.ts";
import { resolveConfig, type ResolvedConfig } from "../config/resolve.ts";
import { type Finding, FINDING_STATES, lookAtAll } from "../doctor/check.ts";
import { LEFTOVERS_LOOK } from "../doctor/leftovers.ts";
import { PROGRAM_LOOKS } from "../doctor/programs.ts";
import { SCRATCH_LOOKS } from "../doctor/scratch.ts";
import { SHELL_LOOKS } from "../doctor/shell_setup.ts";
import { CliError } from "../errors/errors.ts";
import { formatCount } from "../text/format.ts";
import { padTo, shortenMessage, wrapText } from "../text/shorten.ts";

const ANSWER_SCHEMA = v.object({
  ok: v.pipe(v.boolean(), v.description("false where any finding is an error")),
  command: v.literal("doctor"),
  config_path: v.string(),
  findings: v.array(v.object({
    name: v.pipe(v.string(), v.description("What was looked at; several findings may have one name")),
    state: v.picklist(FINDING_STATES),
    text: v.string(),
    hint: v.optional(v.pipe(v.string(), v.description("What mends it, with the command"))),
  })),
  summary: v.object({ ok: COUNT, warning: COUNT, error: COUNT }),
});

type DoctorAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Runs all checks at the same time; each ends after five seconds. */
export const doctor = defineCommand({
  name: "doctor",
  summary: "Check scratch, programs, shell and configuration, and say what mends them",
  description: "Every look ends after 5 seconds. `warning`: it works, but not as well as it could, or not everything " +
    "does; `error`: nothing can be staged, and the exit code is 1. Locks are tried on scratch, not guessed.",
  examples: [
    { command: "euler-files doctor", does: "Here, on this node" },
    { command: "srun euler-files doctor", does: "On a compute node" },
    { command: "euler-files doctor --json", does: "The same for scripts" },
  ],
  fields: {},
  answer: ANSWER_SCHEMA,
  run: runDoctor,
  render: renderDoctor,
});

async function runDoctor(_request: unknown, context: Context): Promise<DoctorAnswer> {
  const { system } = context;
  const path = configPath({ config: context.configOption }, system.env, system.cwd);
  const { config, resolved, findings: first } = await lookAtConfig(path, system.env);
  const looks = [...SCRATCH_LOOKS, LEFTOVERS_LOOK, ...SHELL_LOOKS, ...PROGRAM_LOOKS];
  const findings = [...first, ...await lookAtAll(looks, { system, config, resolved })];
  const count = (state: Finding["state"]) => findings.filter((finding) => finding.state === state).length;
  const summary = { ok: count("ok"), warning: count("warning"), error: count("error") };
  return { ok: summary.error === 0, command: "doctor", config_path: path, findings: [...findings], summary };
}

/** Checks the configuration. Without one the other checks find what they can. */
async function lookAtConfig(path: ReturnType<typeof configPath>, env: Readonly<Record<string, string>>): Promise<{
  readonly config?: Config | undefined;
  readonly resolved?: ResolvedConfig | undefined;
  readonly findings: readonly Finding[];
}> {
  const name = "configuration";
  const failed = (error: unknown): Finding => {
    if (!(error instanceof CliError)) throw error;
    const { message, hint } = error;
    return { name, state: "error", text: message, ...(hint === undefined ? {} : { hint }) };
  };
  let file: ConfigFile;
  try {
    file = await readConfig(path, env);
  } catch (error) {
    const layers = await readSiteLayers(env).catch(() => undefined);
    return { findings: [failed(error), ...(layers === undefined ? [] : siteFindings({}, layers))] };
  }
  const { config } = file;
  const site = siteFindings(await parseJson(file.text, path), file.layers);
  const problems = listProblemsHere(config, path, env).map(({ severity, message, hint }): Finding => ({
    ...{ name, state: severity, text: message },
    ...(hint === undefined ? {} : { hint }),
  }));
  const enabled = Object.values(config.vars).filter((variable) => variable.enabled).length;
  const text = `${path} with ${formatCount(enabled)} enabled ${enabled === 1 ? "variable" : "variables"}`;
  const hint = enabled === 0 ? { hint: "`euler-files add HF_HOME`" } : {};
  const own: Finding = { name, state: enabled === 0 ? "warning" : "ok", text, ...hint };
  try {
    return { config, resolved: resolveConfig(config, path, env), findings: [own, ...site, ...problems] };
  } catch (error) {
    const fault = failed(error);
    const others = problems.filter(({ text }) => text !== fault.text);
    return { config, findings: [own, ...site, fault, ...others] };
  }
}

/** What the site says below the user's own file: scratch, the disk of a node, the quota program, the purge rule. */
function siteFindings(own: unknown, layers: SiteLayers): Finding[] {
  const name = "site";
  if (layers.length === 0) return [{ name, state: "ok", text: "no file of a site, and no built-in profile fits here" }];
  return describeLayers(own, layers).map((text) => ({ name, state: "ok", text }));
}

/** The width of the column with the state: the longest state and two blanks. */
const STATE_COLUMNS = 9;

/** On a terminal with fewer columns each text is below its subject. */
const LEAST_TABLE_COLUMNS = 80;

function renderDoctor({ findings, summary }: DoctorAnswer, styles: Styles): Rendered {
  const style = styles.stdout;
  const width = Math.max(...findings.map(({ name }) => name.length));
  const isWide = style.columns >= LEAST_TABLE_COLUMNS;
  const indent = isWide ? STATE_COLUMNS + width + 2 : STATE_COLUMNS;
  const newLine = `\n${" ".repeat(indent)}`;
  const block = (text: string) => wrapText(shortenMessage(text), style.columns - indent).replaceAll("\n", newLine);
  const lines = findings.map(({ name, state, text, hint }) => {
    const subject = isWide ? padTo(name, width + 2) : `${name}${newLine}`;
    const mend = hint === undefined ? "" : `${newLine}${block(`${style.cyan("hint:")} ${hint}`)}`;
    return paint(state, style)(padTo(state, STATE_COLUMNS)) + subject + block(text) + mend;
  });
  const { ok, warning, error } = summary;
  const total = `${ok} ok, ${warning} ${warning === 1 ? "warning" : "warnings"}, ${error} ${
    error === 1 ? "error" : "errors"
  }`;
  return { stdout: `${lines.join("\n")}\n\n${total}\n` };
}

function paint(state: Finding["state"], style: Style): (text: string) => string {
  return { ok: style.green, warning: style.yellow, error: style.red }[state];
}
