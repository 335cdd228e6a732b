// The questions about which variables are managed and where their data is kept.
import { splitAbsolute } from "../posix/file_names.ts";
import { VARIABLE_NAME } from "../config/names.ts";
import { reasonAgainstVariable } from "../config/reserved_variables.ts";
import { isWithin, realLocation } from "../config/paths.ts";
import { PRESETS } from "../config/presets.ts";
import { resolveConfig } from "../config/resolve.ts";
import { messageOf } from "../errors/errors.ts";
import { type Candidate, listCandidates } from "./candidates.ts";
import { type Conversation, faultOf, OTHER } from "./conversation.ts";
import { configOf, type Draft, enabledNames, sourceText, withEnabled, withRedirected, withVariable } from "./draft.ts";
import { describeCount } from "./tree_count.ts";
import { isDirectory } from "../system/existence.ts";

/** How long to wait for sizes before the variables are offered. */
const PATIENCE_MILLISECONDS = 700;

/** Variables that almost every user of them should have on scratch. */
const RECOMMENDED = ["HF_HOME", "TORCH_HOME"];

/** The variables to offer, with the sizes that can be counted within a moment. */
export async function offerVariables(
  draft: Draft,
  { context, path, existing, signal }: Conversation,
): Promise<Candidate[]> {
  const { env } = context.system;
  const { scratchBase } = resolveConfig(configOf({ ...draft, vars: {} }, existing), path, env);
  const candidates = await listCandidates({ existing, env, scratchBase, system: { ...context.system, signal } });
  const { promise: patience, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PATIENCE_MILLISECONDS);
  await Promise.race([patience, Promise.all(candidates.map(({ count }) => count?.ended))]);
  clearTimeout(timer);
  return candidates;
}

/** Asks which variables are managed, and for each new one where its data is kept. */
export async function askVariables(
  draft: Draft,
  candidates: readonly Candidate[],
  conversation: Conversation,
): Promise<Draft> {
  const own = Object.keys(draft.vars).filter((name) => !candidates.some((candidate) => candidate.name === name));
  const recommended = candidates.filter(({ name, count }) => count !== undefined && RECOMMENDED.includes(name));
  const isFirst = Object.keys(draft.vars).length === 0;
  const chosen = await conversation.context.prompt.selectSeveral({
    message: "Which variables should be managed?",
    options: [
      ...own.map((name) => ({ value: name, label: name, hint: sourceText(draft, name) })),
      ...candidates.map(({ name, about, count }) => ({
        value: name,
        label: count === undefined ? name : `${name}  ${describeCount(count)}`,
        hint: about,
      })),
      { value: OTHER, label: "Another variable" },
    ],
    chosen: isFirst ? recommended.map(({ name }) => name) : enabledNames(draft),
    required: true,
  });
  let next = withEnabled(draft, chosen);
  for (const name of chosen) {
    if (name !== OTHER && next.vars[name] === undefined) next = await askPath(next, name, candidates, conversation);
  }
  for (let more = chosen.includes(OTHER); more;) {
    next = await askSource(next, await askName(next, conversation), candidates, conversation);
    more = await conversation.context.prompt.confirm({ message: "Another variable?", initial: false });
  }
  return next;
}

/** Asks whether a cache that is not worth copying is redirected; for any other variable, where its data is kept. */
async function askPath(
  draft: Draft,
  name: string,
  candidates: readonly Candidate[],
  conversation: Conversation,
): Promise<Draft> {
  const preset = PRESETS.find((preset) => preset.name === name);
  if (preset?.redirect === undefined) return await askSource(draft, name, candidates, conversation);
  const where = preset.redirect === "node" ? "the disk of each node" : "scratch";
  const answer = await conversation.context.prompt.select({
    message: `${name} holds ${preset.holds}. What should it name?`,
    options: [
      { value: "redirect", label: `An empty directory on ${where}`, hint: "nothing is copied" },
      { value: "stage", label: "A copy of a directory that stays" },
    ],
  });
  if (answer === "redirect") return withRedirected(draft, name, preset.redirect);
  return await askSource(draft, name, candidates, conversation);
}

async function askName(draft: Draft, { context }: Conversation): Promise<string> {
  return await context.prompt.text({
    message: "What is the variable's name?",
    placeholder: "MY_CACHE_DIR",
    check: (answer) => {
      if (!VARIABLE_NAME.test(answer)) return "letters, digits and _ only, and no digit first";
      if (draft.vars[answer] !== undefined) return "it is among the variables already";
      const reason = reasonAgainstVariable(answer);
      return reason === undefined ? undefined : `it cannot be managed: ${reason}`;
    },
  });
}

/** Asks for another source directory of one of the variables. */
export async function askOneSource(
  draft: Draft,
  candidates: readonly Candidate[],
  conversation: Conversation,
): Promise<Draft> {
  const name = await conversation.context.prompt.select({
    message: "Of which variable?",
    options: enabledNames(draft).map((name) => ({ value: name, label: name, hint: sourceText(draft, name) })),
  });
  return await askSource(draft, name, candidates, conversation);
}

async function askSource(
  draft: Draft,
  name: string,
  candidates: readonly Candidate[],
  { context, path, existing }: Conversation,
): Promise<Draft> {
  const { prompt, system } = context;
  const candidate = candidates.find((candidate) => candidate.name === name);
  const resolve = (source: string) =>
    resolveConfig(configOf(withVariable(draft, name, source), existing), path, system.env, [name]);
  for (;;) {
    const answer = await prompt.text({
      message: `In which directory is the data of ${name} kept?`,
      initial: draft.vars[name]?.source ?? candidate?.source ?? "",
      placeholder: "~/.cache/something",
      check: (answer) => answer.trim() === "" ? "a directory is needed" : faultOf(() => resolve(answer.trim())),
    });
    const source = answer.trim();
    const resolved = resolve(source);
    const path = resolved.variables[0]!.source;
    if (isWithin(await realLocation(path), await realLocation(resolved.scratchBase))) {
      prompt.note(`${path} lies on scratch, which is purged. The source is the directory that stays.`, "Not there");
      continue;
    }
    const isThere = await isDirectory(path);
    const message = `${path} does not exist yet. Use it all the same?`;
    if (!isThere && !await prompt.confirm({ message, initial: true })) continue;
    if (isThere || await hasParent(path, context)) return withVariable(draft, name, source);
  }
}

/** A sync assumes that a source without a parent directory is not mounted: the parent is made, if the person agrees. */
async function hasParent(directory: string, { prompt }: Conversation["context"]): Promise<boolean> {
  const parent = splitAbsolute(directory)[0];
  if (await isDirectory(parent)) return true;
  const message = `${parent} does not exist either. Make it now?`;
  if (!await prompt.confirm({ message, initial: true })) return false;
  try {
    await Deno.mkdir(parent, { recursive: true });
    return true;
  } catch (error) {
    prompt.note(`Cannot make ${parent}: ${messageOf(error)}`, "Not there");
    return false;
  }
}
