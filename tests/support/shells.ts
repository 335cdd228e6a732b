// Real shells that evaluate a text, for tests of what euler-files prints for them; each takes a few milliseconds.

/** The shells that are tested. */
export type TestShell = "bash" | "zsh" | "dash" | "fish" | "tcsh";

/** A shell, and one way in which users let it evaluate what a command prints. */
export interface Evaluation {
  readonly shell: TestShell;
  /** What users type, for the name of a test. */
  readonly typed: string;
  /** A script that evaluates the file `$TEXT_FILE` in the same way. */
  readonly script: string;
}

/** Every way to evaluate the text that is printed for bash and zsh. */
export const POSIX_EVALUATIONS: readonly Evaluation[] = [
  { shell: "bash", typed: 'eval "$(…)"', script: 'eval "$(cat "$TEXT_FILE")"' },
  { shell: "zsh", typed: 'eval "$(…)"', script: 'eval "$(cat "$TEXT_FILE")"' },
  { shell: "dash", typed: 'eval "$(…)"', script: 'eval "$(cat "$TEXT_FILE")"' },
  { shell: "fish", typed: 'eval "$(…)"', script: 'eval "$(cat $TEXT_FILE)"' },
  { shell: "fish", typed: "… | source", script: "cat $TEXT_FILE | source" },
];

/** Every way to evaluate the text that is printed for fish. */
export const FISH_EVALUATIONS: readonly Evaluation[] = [
  { shell: "fish", typed: "… | source", script: "cat $TEXT_FILE | source" },
  { shell: "fish", typed: "eval (…)", script: "eval (cat $TEXT_FILE)" },
  { shell: "fish", typed: 'eval "$(…)"', script: 'eval "$(cat $TEXT_FILE)"' },
];

/** The way to evaluate the text that is printed for tcsh. */
export const TCSH_EVALUATIONS: readonly Evaluation[] = [
  { shell: "tcsh", typed: 'eval "`…`"', script: 'eval "`cat $TEXT_FILE`"' },
];

/** How a script ended. */
export interface ShellResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const NO_START_UP_FILES: Readonly<Record<TestShell, readonly string[]>> = {
  bash: ["--norc", "--noprofile"],
  zsh: ["-f"],
  dash: [],
  fish: ["--no-config"],
  tcsh: ["-f"],
};

/** Runs a script, from a file as job scripts are, with `env` and little else in its environment. */
export async function runScript(
  shell: TestShell,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ShellResult> {
  const file = await Deno.makeTempFile({ prefix: "euler-files-script-" });
  try {
    await Deno.writeTextFile(file, `${script}\n`);
    const { code, stdout, stderr } = await new Deno.Command(shell, {
      args: [...NO_START_UP_FILES[shell], file],
      env: { PATH: Deno.env.get("PATH") ?? "", HOME: "/nonexistent", LC_ALL: "C.UTF-8", ...env },
      clearEnv: true,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } finally {
    await Deno.remove(file);
  }
}

/** Lets a shell evaluate a text, and then run `after`. */
export async function evaluate(
  { shell, script }: Evaluation,
  text: string,
  after: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ShellResult> {
  const file = await Deno.makeTempFile({ prefix: "euler-files-text-" });
  try {
    await Deno.writeTextFile(file, text);
    return await runScript(shell, `${script}\n${after}`, { ...env, TEXT_FILE: file });
  } finally {
    await Deno.remove(file);
  }
}

/** The environment that programs get after a shell has evaluated a text; throws if the shell printed anything. */
export async function environmentAfter(
  evaluation: Evaluation,
  text: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>>> {
  const { code, stdout, stderr } = await evaluate(evaluation, text, "env -0", env);
  if (code !== 0 || stderr !== "") throw new Error(`${evaluation.shell} ended with ${code}: ${stderr}`);
  const entries = stdout.split("\0").filter((entry) => entry !== "");
  return Object.fromEntries(entries.map((entry) => {
    const end = entry.indexOf("=");
    return [entry.slice(0, end), entry.slice(end + 1)];
  }));
}
