// The configuration's path, its text, and the text as a value that nothing has checked: what a Tab needs, without the schema.
import { CliError, messageOf, systemRefusalOf } from "../errors/errors.ts";
import { formatCount, shellWord } from "../text/format.ts";
import { isPrivateGroup } from "../system/private_group.ts";
import { readTextStart } from "../system/text_start.ts";
import { waitForServer } from "../system/wait_for_server.ts";
import type { Fault } from "./config_faults.ts";
import { type AbsolutePath, resolvePath } from "./paths.ts";
import { faultOfJsonText, faultOfSize, MOST_TEXT_BYTES } from "./text_limits.ts";

/**
 * The path of the configuration: `--config`, then EULER_FILES_CONFIG, then `~/.euler-files.json`. Throws a CliError if
 * HOME is needed and not set.
 */
export function configPath(
  options: { readonly config?: string | undefined },
  env: Readonly<Record<string, string>>,
  cwd: string,
): AbsolutePath {
  if (options.config !== undefined) return resolvePath(options.config, env, cwd, { label: "--config", kind: "usage" });
  if (env.EULER_FILES_CONFIG) {
    return resolvePath(env.EULER_FILES_CONFIG, env, cwd, { label: "EULER_FILES_CONFIG", kind: "config" });
  }
  return resolvePath("~/.euler-files.json", env, cwd, { label: "the configuration", kind: "config" });
}

/** The configuration's text, or undefined if the file doesn't exist. Throws a CliError if it can't be read. */
export async function readConfigText(path: AbsolutePath): Promise<string | undefined> {
  for (let attempt = 1;; attempt++) {
    try {
      const text = await readTrustedText(path);
      return text.startsWith("\ufeff") ? text.slice(1) : text;
    } catch (error) {
      if (error instanceof CliError) throw error;
      if (error instanceof Deno.errors.NotFound) return undefined;
      // NFS answers ESTALE when another node has just replaced the file; opening it again finds the new one.
      if (systemRefusalOf(error)?.errno === 116 && attempt < 3) continue;
      const what = error instanceof Deno.errors.PermissionDenied ? "permission denied" : messageOf(error);
      throw new CliError("config", `Cannot read the configuration "${path}": ${what}`, { cause: error });
    }
  }
}

/**
 * Reads a configuration that only we and root can write, because it decides what is copied and deleted. Throws a
 * CliError `refused` for any other.
 */
async function readTrustedText(path: AbsolutePath): Promise<string> {
  await waitForServer(path);
  using file = await Deno.open(path);
  const { uid, mode, gid, isFile, size } = await file.stat();
  const isOurs = uid === null || uid === Deno.uid();
  if (!isOurs && uid !== 0) {
    throw new CliError("refused", `Cannot use the configuration "${path}": it belongs to another user`, {
      hint: `look at it, and take a copy of your own: cp ${shellWord(path)} ~/.euler-files.json`,
    });
  }
  const bits = mode ?? 0;
  if (isFile && ((bits & 0o002) !== 0 || ((bits & 0o020) !== 0 && !isPrivateGroup(gid ?? 0)))) {
    throw new CliError("refused", `Cannot use the configuration "${path}": other users can write it`, {
      hint: `look at what it says, then run \`chmod go-w ${shellWord(path)}\``,
    });
  }
  if (size > MOST_TEXT_BYTES) throw outsized(path, faultOfSize());
  if (!isFile) return await readTextStart(file.readable, MOST_TEXT_BYTES);
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let read: number | null = 0; read !== null && length < size; length += read ?? 0) {
    read = await file.read(bytes.subarray(length));
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function outsized(path: string, fault: string): CliError {
  return new CliError("config", `Cannot use the configuration "${path}": it ${fault}`, {
    hint: "is that the right file? `euler-files init` makes a new one where there is none",
  });
}

/** The text as a value, comments allowed and nothing checked. Throws CliErrors: `bad-json`, `config` beyond the limits. */
export async function parseJson(text: string, path: AbsolutePath): Promise<unknown> {
  const fault = faultOfJsonText(text);
  if (fault !== undefined) throw outsized(path, fault);
  try {
    return JSON.parse(text);
  } catch {
    // It may hold comments; loading the parser for them takes longer than reading most files.
    const { parseConfigText } = await import("./config_faults.ts");
    const parsed = parseConfigText(text);
    if ("value" in parsed) return parsed.value;
    throw faultError(parsed.faults, path);
  }
}

/** The first fault as an error that names its position. */
export function faultError(faults: readonly Fault[], path: AbsolutePath): CliError {
  const first = faults.find(({ field }) => field === "version") ?? faults[0];
  if (first === undefined) return new CliError("config", `Cannot use the configuration "${path}"`);
  const position = `line ${first.line}, column ${first.column}`;
  const further = faults.length - 1;
  const all = further === 0 || first.field === "version"
    ? ""
    : `; \`euler-files config validate\` lists ${
      further === 1 ? "one more fault" : `${formatCount(further)} more faults`
    }`;
  const syntax = first.kind === "syntax";
  const { field, line, column } = first;
  return new CliError(syntax ? "bad-json" : "config", `Cannot use "${path}" (${position}): ${first.message}`, {
    location: { field, line, column },
    hint: (first.hint ?? (syntax ? "mend it with `euler-files config edit`" : "mend the file")) + all,
  });
}
