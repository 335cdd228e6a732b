// `config edit`: opens the configuration in the person's editor and saves the result only if it is valid.
import * as v from "valibot";
import { type Context, defineCommand } from "../contract/command.ts";
import { replaceConfig } from "../config/config_edit.ts";
import type { SiteLayers } from "../config/site.ts";
import { listConfigFaults } from "../config/config_faults.ts";
import { configPath, readConfigText, readSiteLayers } from "../config/config_file.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { openInEditor } from "../tools/editor.ts";
import { readNamesOrNone } from "../posix/read_names.ts";

/** Opens a copy in the editor, checks it and replaces the file with it. */
export const configEdit = defineCommand({
  name: "config edit",
  summary: "Edit the configuration in your editor",
  description:
    "Opens a copy in $VISUAL, $EDITOR or vi and saves it only if it is valid. If it is not, the copy is kept, and the " +
    "next `config edit` goes on with it.",
  examples: [
    { command: "euler-files config edit", does: "Open the configuration" },
    { command: "EDITOR='code --wait' euler-files config edit", does: "In another editor" },
  ],
  fields: {},
  answer: v.object({
    ok: v.literal(true),
    command: v.literal("config-edit"),
    config_path: v.string(),
    status: v.picklist(["saved", "unchanged"]),
  }),
  run: runEdit,
  render: ({ status, config_path }) => ({
    stderr: status === "saved" ? `Saved ${config_path}\n` : `Nothing was changed in ${config_path}\n`,
  }),
});

async function runEdit(_request: unknown, { system, configOption, report }: Context) {
  const path = configPath({ config: configOption }, system.env, system.cwd);
  const before = await readConfigText(path);
  if (before === undefined) {
    throw new CliError("not-found", `Cannot find the configuration "${path}"`, {
      hint: "make one with `euler-files init`",
    });
  }
  const draft = await draftOf(path, before);
  const kept = await readConfigText(draft);
  if (kept === undefined) await writeFileAtomically({ path: draft, content: before, mode: 0o600, durability: "fast" });
  else if (kept !== before) {
    report({ type: "note", text: `Going on with the edited copy that is not saved yet: ${draft}` });
  }
  for (const other of await otherDrafts(path, draft)) {
    report({
      type: "warning",
      text: `the edited copy "${other}" is not saved, and the configuration has changed since it was made`,
      hint: `take from it what you need, then \`rm ${shellWord(other)}\``,
    });
  }
  await openInEditor(draft, system).catch(async (error) => {
    if (await readConfigText(draft) === before) await Deno.remove(draft).catch(() => {});
    throw error;
  });
  const after = await readConfigText(draft) ?? before;
  refuseFaults(after, draft, path, await readSiteLayers(system.env));
  const isChanged = after !== before;
  if (isChanged) await replaceConfig(path, { before, after }, system);
  await Deno.remove(draft).catch(() => {});
  return { ok: true, command: "config-edit", config_path: path, status: isChanged ? "saved" : "unchanged" } as const;
}

/** The copy's name holds a hash of the text it was made from: a copy of an older text must not undo later changes. */
async function draftOf(path: AbsolutePath, text: string): Promise<AbsolutePath> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `${path}.draft-${hash.toHex().slice(0, 8)}.json` as AbsolutePath;
}

/** Copies that were made from other texts of the configuration. */
async function otherDrafts(path: AbsolutePath, draft: AbsolutePath): Promise<string[]> {
  const slash = path.lastIndexOf("/");
  const [directory, name] = [path.slice(0, slash) || "/", path.slice(slash + 1)];
  const names = [...(await readNamesOrNone(directory)).keys()];
  return names.filter((one) => one.startsWith(`${name}.draft-`) && one.endsWith(".json"))
    .map((one) => `${directory}/${one}`).filter((one) => one !== draft).sort();
}

function refuseFaults(text: string, draft: string, path: string, layers: SiteLayers): void {
  const errors = listConfigFaults(text, layers).filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  throw new CliError("config", `Cannot save "${path}": the edited copy "${draft}" is not valid`, {
    lines: errors.map(({ line, column, message }) => `${line}:${column}: ${message}`),
    hint: `\`euler-files config edit\` goes on with the copy; \`rm ${shellWord(draft)}\` gives it up`,
  });
}
