// The questions of `init`. They fill in the same request that --input-json gives; nothing is saved here.
import type { Context } from "../contract/command.ts";
import { checkConfig, type Config, CONFIG_VERSION } from "../config/config.ts";
import { asObject } from "../text/json_value.ts";
import { configPath, parseConfig, parseJson, readConfigText, readSiteLayers } from "../config/config_file.ts";
import type { ConfigPatch } from "../config/config_patch.ts";
import { listProblemsHere } from "../config/config_review.ts";
import { resolveConfig, type ResolvedConfig } from "../config/resolve.ts";
import { describeLayers, type SiteLayers, withLayers } from "../config/site.ts";
import { CliError, Interrupted } from "../errors/errors.ts";
import { formatCount } from "../text/format.ts";
import type { Candidate } from "./candidates.ts";
import type { Conversation } from "./conversation.ts";
import { configOf, type Draft, enabledNames, patchOf, SETTINGS, sourceText, startDraft } from "./draft.ts";
import { askScratch } from "./scratch_question.ts";
import { describeCount } from "./tree_count.ts";
import { askOneSource, askVariables, offerVariables } from "./variable_questions.ts";

/** The time limit for measuring sizes while the questions are asked. */
const COUNTING_SECONDS = 120;

/**
 * Asks for a whole configuration, starting with the existing one, and returns what to save. Throws a CliError `declined` if
 * the person leaves without saving, and one of `readConfig`'s if the existing file is faulty.
 */
export async function askForConfig(context: Context): Promise<ConfigPatch> {
  const { system, prompt } = context;
  const path = configPath({ config: context.configOption }, system.env, system.cwd);
  const text = await readConfigText(path);
  const isOurs = text !== undefined && asObject(await parseJson(text, path))?.version === CONFIG_VERSION;
  const layers = await readSiteLayers(system.env);
  const existing = isOurs ? await parseConfig(text, path, layers) : siteConfig(layers);
  if (isOurs) prompt.note(`${path}\nWhat is not asked for stays as it is.`, "Starting from");
  else if (text !== undefined) {
    prompt.note(`${path}\nIt has another format version and will be put aside.`, "Replacing");
  }
  if (layers.length > 0) {
    const own = isOurs ? await parseJson(text, path) : {};
    prompt.note(describeLayers(own, layers).join("\n"), "What the site says");
  }
  const stopCounting = new AbortController();
  const signal = AbortSignal.any([stopCounting.signal, system.signal, AbortSignal.timeout(COUNTING_SECONDS * 1000)]);
  try {
    return patchOf(await converse({ context, path, existing, signal }), existing);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, { state: "nothing was saved", hint: "`euler-files init` starts again" });
  } finally {
    stopCounting.abort();
  }
}

/** What the site says, as the configuration to start from where the user has none; undefined if it says nothing. */
function siteConfig(layers: SiteLayers): Config | undefined {
  if (layers.length === 0) return undefined;
  // A configuration has to name scratch; without one of the site the question begins with none.
  const known = { version: CONFIG_VERSION, ...withLayers({}, layers) as object };
  const checked = checkConfig({ scratch_base: "/", vars: {}, ...known });
  if (!("config" in checked)) return undefined;
  return "scratch_base" in known ? checked.config : { ...checked.config, scratch_base: "" };
}

async function converse(conversation: Conversation): Promise<Draft> {
  let draft = await askScratch(startDraft(conversation.existing), conversation);
  let candidates = await offerVariables(draft, conversation);
  draft = await askVariables(draft, candidates, conversation);
  for (;;) {
    switch (await askNext(draft, candidates, conversation)) {
      case "save":
        return draft;
      case "variables":
        draft = await askVariables(draft, candidates, conversation);
        break;
      case "source":
        draft = await askOneSource(draft, candidates, conversation);
        break;
      case "scratch":
        draft = await askScratch(draft, conversation);
        candidates = await offerVariables(draft, conversation);
        break;
      case "settings":
        draft = await askSettings(draft, conversation);
        break;
      case "leave":
        throw new CliError("declined", "Nothing was saved", { hint: "`euler-files init` starts again" });
    }
  }
}

type Next = "save" | "variables" | "source" | "scratch" | "settings" | "leave";

/** Shows the answers so far and their problems. Only a configuration that works can be saved. */
async function askNext(draft: Draft, candidates: readonly Candidate[], conversation: Conversation): Promise<Next> {
  const { context: { prompt, system }, path, existing } = conversation;
  prompt.note(summarize(draft, candidates, conversation), "Summary");
  const problems = listProblemsHere(configOf(draft, existing), path, system.env);
  if (problems.length > 0) prompt.note(problems.map(({ message }) => message).join("\n"), "Please note");
  const maySave = problems.every(({ severity }) => severity === "warning");
  return await prompt.select<Next>({
    message: maySave ? "Is this right?" : "What should be changed?",
    options: [
      ...(maySave ? [{ value: "save", label: `Save ${path}` } as const] : []),
      { value: "variables", label: "Choose the variables again" },
      { value: "source", label: "Change a source directory" },
      { value: "scratch", label: "Change where scratch is" },
      { value: "settings", label: "Advanced settings", hint: "side by side, waiting, freshness" },
      { value: "leave", label: "Leave without saving" },
    ],
  });
}

async function askSettings(draft: Draft, { context }: Conversation): Promise<Draft> {
  let { settings } = draft;
  for (const name of Object.keys(SETTINGS) as (keyof typeof SETTINGS)[]) {
    const { question, least } = SETTINGS[name];
    const answer = await context.prompt.text({
      message: question,
      initial: String(settings[name]),
      check: (answer) =>
        /^\d{1,9}$/.test(answer.trim()) && Number(answer) >= least ? undefined : `a whole number of ${least} or more`,
    });
    settings = { ...settings, [name]: Number(answer) };
  }
  return { ...draft, settings };
}

function summarize(draft: Draft, candidates: readonly Candidate[], { context, path, existing }: Conversation): string {
  const config = configOf(draft, existing);
  const { cacheRoot } = resolveConfig({ ...config, vars: {} }, path, context.system.env);
  const names = enabledNames(draft);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => {
    const source = sourceOf(name, () => resolveConfig(config, path, context.system.env, [name]));
    const candidate = candidates.find((candidate) => candidate.name === name);
    const count = candidate?.source === source ? candidate?.count : undefined;
    return `${name.padEnd(width)}  ${source ?? sourceText(draft, name)}${
      count === undefined ? "" : `, ${describeCount(count)}`
    }`;
  });
  const disabled = Object.keys(existing?.vars ?? {}).filter((name) => draft.vars[name]?.enabled === false);
  const { parallel_jobs, lock_timeout_seconds, skip_if_fresh_seconds } = draft.settings;
  return [
    ...lines,
    ...(disabled.length === 0 ? [] : [`Disabled: ${disabled.join(", ")}`]),
    `Copied to ${cacheRoot}`,
    `${parallel_jobs} variables at a time, waiting ${formatCount(lock_timeout_seconds)} s for another job, fresh for ${
      formatCount(skip_if_fresh_seconds)
    } s`,
  ].join("\n");
}

function sourceOf(name: string, resolve: () => ResolvedConfig): string | undefined {
  try {
    return resolve().variables.find((variable) => variable.name === name)?.source;
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}
