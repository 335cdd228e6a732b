// Lines in the shell's start-up files that still name a directory after it has moved.
import { readNames } from "../posix/read_names.ts";
/** A line to change. */
export interface StaleLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly change_to: string;
}

/** Files below HOME that shells run at their start (bash(1), zsh(1), fish(1), tcsh(1)). */
const START_UP_FILES = [
  ".bashrc",
  ".bash_profile",
  ".bash_login",
  ".bash_aliases",
  ".profile",
  ".zshenv",
  ".zprofile",
  ".zshrc",
  ".zlogin",
  ".config/fish/config.fish",
  ".cshrc",
  ".tcshrc",
  ".login",
];

/** A start-up file with what it holds. */
export interface StartUpFile {
  readonly path: string;
  readonly text: string;
}

/** The start-up files of this user. Those that cannot be read are skipped. */
export async function readStartUpFiles(env: Readonly<Record<string, string>>): Promise<StartUpFile[]> {
  const home = env.HOME;
  if (!home) return [];
  const paths = [...START_UP_FILES, ...await fishSnippets(home)].map((name) => `${home}/${name}`);
  return await Promise.all(
    paths.map(async (path) => ({ path, text: await Deno.readTextFile(path).catch(() => "") })),
  );
}

/** Finds the lines, each with its replacement. */
export async function findStaleLines(
  oldPath: string,
  newPath: string,
  env: Readonly<Record<string, string>>,
): Promise<StaleLine[]> {
  const home = env.HOME;
  if (!home) return [];
  const forms = waysToWrite(oldPath, home);
  return (await readStartUpFiles(env)).flatMap(({ path: file, text }) =>
    text.split("\n").flatMap((text, index) => {
      const changed = replaceForms(text, forms, newPath);
      const isComment = /^\s*#/.test(text);
      return changed === text || isComment ? [] : [{ file, line: index + 1, text, change_to: changed }];
    })
  );
}

async function fishSnippets(home: string): Promise<string[]> {
  const directory = ".config/fish/conf.d";
  try {
    const names = [...(await readNames(`${home}/${directory}`)).keys()];
    return names.filter((name) => name.endsWith(".fish")).map((name) => `${directory}/${name}`).sort();
  } catch {
    return [];
  }
}

function waysToWrite(path: string, home: string): string[] {
  if (!path.startsWith(`${home}/`)) return [path];
  const below = path.slice(home.length);
  return [path, `$HOME${below}`, `\${HOME}${below}`, `~${below}`];
}

function replaceForms(text: string, forms: readonly string[], to: string): string {
  return forms.reduce((changed, form) => {
    let result = "";
    let rest = changed;
    for (let at = rest.indexOf(form); at >= 0; at = rest.indexOf(form)) {
      const before = result.at(-1) ?? "";
      const [previous, next] = [at === 0 ? before : rest[at - 1]!, rest[at + form.length] ?? ""];
      // `/old/hf` is not in `/very/old/hf` and not in `/old/hf-2`.
      const isWhole = !/[\w.\/-]/.test(previous) && !/[\w.-]/.test(next);
      result += rest.slice(0, at) + (isWhole ? to : form);
      rest = rest.slice(at + form.length);
    }
    return result + rest;
  }, text);
}
