// Checks whether the shell and its start-up files change the managed variables.
import { printable } from "../text/format.ts";
import { readStartUpFiles, type StartUpFile } from "../migration/rc_files.ts";
import { checkCongruency } from "../variables/congruency.ts";
import type { CheckContext, Finding, Look } from "./check.ts";

/** The checks, in the order of the answer. */
export const SHELL_LOOKS: readonly Look[] = [
  { name: "ef", run: lookAtFunction },
  { name: "start-up files", run: lookAtStartUpFiles },
  { name: "environment", run: lookAtEnvironment },
];

async function lookAtFunction({ system }: CheckContext): Promise<Finding[]> {
  const line = linesOf(await readStartUpFiles(system.env)).find(({ text }) =>
    /\beuler-files\b.*\bshell-init\b/.test(text)
  );
  if (line !== undefined) return [{ name: "ef", state: "ok", text: `set up in ${line.file}, line ${line.line}` }];
  const text = "the shell function ef is in no start-up file; sync works without it";
  return [{ name: "ef", state: "ok", text, hint: 'add to ~/.bashrc: `eval "$(euler-files shell-init)"`' }];
}

interface Line {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

function linesOf(files: readonly StartUpFile[]): Line[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").map((line, index) => ({ file: path, line: index + 1, text: line }))
      .filter(({ text }) => !/^\s*#/.test(text))
  );
}

/** The forms in which shells set a variable: `X=`, after `export` or not, `setenv X `, `set -gx X `. */
const ASSIGNMENT = /(?:^|[\s;&(])(?:(?:setenv|set(?:\s+-\w+)+)\s+([A-Za-z_]\w*)\s+|([A-Za-z_]\w*)=)([^\s;]*)/g;

async function lookAtStartUpFiles({ resolved, system }: CheckContext): Promise<Finding[]> {
  if (resolved === undefined) return [];
  const name = "start-up files";
  const lines = linesOf(await readStartUpFiles(system.env));
  const findings = lines.flatMap(({ file, line, text }): Finding[] => {
    for (const [, first, second, value = ""] of text.matchAll(ASSIGNMENT)) {
      const variable = first ?? second ?? "";
      const managed = resolved.variables.find((one) => one.enabled && one.name === variable);
      if (managed === undefined) continue;
      const written = value.replace(/^["']|["';]+$/g, "").replace(
        /^(~|\$HOME|\$\{HOME\})(?=\/|$)/,
        system.env.HOME ?? "~",
      );
      // The source itself is the right value without a sync.
      if (written === managed.source) continue;
      return [{
        ...{ name, state: "warning", text: `${file}, line ${line} sets ${variable}: ${printable(text.trim())}` },
        hint: `take it out, since sync sets ${variable}`,
      }];
    }
    return [];
  });
  return findings.length > 0 ? findings : [{ name, state: "ok", text: "set no managed variable to something else" }];
}

function lookAtEnvironment({ resolved, system }: CheckContext): Promise<Finding[]> {
  if (resolved === undefined) return Promise.resolve([]);
  const name = "environment";
  const enabled = resolved.variables.filter((variable) => variable.enabled);
  const findings = checkCongruency(enabled, system.env)
    .map(({ text, hint }): Finding => ({ name, state: "warning", text, hint }));
  const loaded = enabled.filter((variable) => system.env[variable.name] === variable.target).length;
  const text = loaded === 0
    ? "no managed variable is set to its copy in this shell"
    : `${loaded} of ${enabled.length} managed variables are set to their copies in this shell`;
  return Promise.resolve(findings.length > 0 ? findings : [{ name, state: "ok", text }]);
}
