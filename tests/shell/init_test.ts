// The `ef` function, in real shells, with a stand-in for the program that prints how it was called.
import assert from "node:assert/strict";
import { shellInit } from "../../src/shell/init.ts";
import type { Shell } from "../../src/shell/shell.ts";
import { testNeeding } from "../support/needs.ts";
import { runScript, type ShellResult, type TestShell } from "../support/shells.ts";

/**
 * Prints to stderr how it was called, and to stdout statements or, if stdout is not evaluated, a text that no shell can
 * evaluate.
 */
const STAND_IN = `#!/bin/sh
printf '<%s>' "$@" >&2; echo >&2
case " $* " in
  *" --help "*|*" -vh "*|*" --version "*|*" --json "*|*" --dry-run "*|*" status "*) echo "text; (to \\"show"; exit $CODE ;;
  *"--shell fish"*) printf "true;\\nset -gx GOT 'a  b';\\n" ;;
  *"--shell tcsh"*) printf "setenv GOT 'a  b';\\n" ;;
  *) printf "export GOT='a  b';\\n" ;;
esac
[ "$CODE" = 0 ] || echo "false;"
exit $CODE
`;

/** A directory with an awkward name that holds the stand-in. */
async function withProgram(use: (directory: string, program: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "euler-files-init-" });
  const directory = `${root}/it's a "$bin" \\ dir!`;
  try {
    await Deno.mkdir(directory);
    await Deno.writeTextFile(`${directory}/euler-files`, STAND_IN, { mode: 0o755 });
    await use(directory, `${directory}/euler-files`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

interface ShellCase {
  readonly shell: TestShell;
  readonly printedFor: Shell;
  readonly load: string;
  readonly status: string;
}

const POSIX = { load: 'eval "$(cat "$INIT")"', status: "$?" };
const CASES: readonly ShellCase[] = [
  { shell: "bash", printedFor: "bash", ...POSIX },
  { shell: "zsh", printedFor: "zsh", ...POSIX },
  { shell: "zsh", printedFor: "bash", ...POSIX },
  { shell: "dash", printedFor: "bash", ...POSIX },
  { shell: "fish", printedFor: "fish", load: "cat $INIT | source", status: "$status" },
  { shell: "fish", printedFor: "fish", load: "eval (cat $INIT)", status: "$status" },
  { shell: "tcsh", printedFor: "tcsh", load: 'eval "`cat $INIT`"', status: "$status" },
];

/** Defines ef in a shell, and runs the script after it with the program's exit code set to `code`. */
async function runWithEf(
  shellCase: ShellCase,
  program: string,
  options: { script: string; code?: number; before?: string; path?: string },
): Promise<ShellResult> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, shellInit({ shell: shellCase.printedFor, executable: program }));
  const env = { INIT: file, CODE: String(options.code ?? 0), PATH: options.path ?? Deno.env.get("PATH") ?? "" };
  const script = `${options.before ?? ""}\n${shellCase.load}\n${options.script}`;
  return await runScript(shellCase.shell, script, env).finally(() => Deno.remove(file));
}

Deno.test("each line for fish ends with a semicolon and none is a comment, because eval (…) may join them", () => {
  for (const line of shellInit({ shell: "fish", executable: "/x" }).trimEnd().split("\n")) {
    assert.match(line, /;$/);
    assert.doesNotMatch(line, /#/);
  }
});

testNeeding(
  ["shellcheck"],
  "shellcheck finds nothing in the function for bash, checked as bash and as dash",
  async () => {
    for (const shell of ["bash", "dash"]) {
      const child = new Deno.Command("shellcheck", { args: ["-s", shell, "-"], stdin: "piped", stdout: "piped" })
        .spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(shellInit({ shell: "bash", executable: "/home/a'b/euler-files" })));
      await writer.close();
      assert.equal(new TextDecoder().decode((await child.output()).stdout), "");
    }
  },
);

for (const shellCase of CASES) {
  const { shell, printedFor, load, status } = shellCase;
  const title = `${shell}, ${load.replace(/cat "?\$INIT"?/, "…")}, ef for ${printedFor}`;
  const flag = `--shell><${printedFor}`;
  const show = shell === "tcsh"
    ? "printenv GOT; unsetenv GOT"
    : shell === "fish"
    ? 'echo "$GOT"; set -e GOT'
    : 'echo "$GOT"; unset GOT';

  testNeeding(
    [shell],
    `${title}: ef, ef sync and ef with sync's options evaluate`,
    () =>
      withProgram(async (_, program) => {
        const calls = ["ef", "ef sync", "ef --force --var 'A  B'", "ef --config 'x y' sync -v"];
        const script = calls.flatMap((call) => [call, `echo ${status}`, show]).join("\n");
        const { code, stdout, stderr } = await runWithEf(shellCase, program, { script });
        assert.deepEqual({ code, stdout }, { code: 0, stdout: "0\na  b\n".repeat(4) });
        assert.equal(
          stderr,
          `<sync><${flag}>\n<sync><${flag}>\n<sync><--force><--var><A  B><${flag}>\n<--config><x y><sync><-v><${flag}>\n`,
        );
      }),
  );

  testNeeding(
    [shell],
    `${title}: help, JSON, dry runs and other commands are passed on and not evaluated`,
    () =>
      withProgram(async (_, program) => {
        const calls = [
          "ef --help",
          "ef sync -vh",
          "ef --version",
          "ef --json",
          "ef sync --dry-run",
          "ef status 'a  b' '*' \"it's\"",
        ];
        const { code, stdout, stderr } = await runWithEf(shellCase, program, { script: calls.join("\n") });
        assert.deepEqual({ code, stdout }, { code: 0, stdout: 'text; (to "show\n'.repeat(6) });
        assert.equal(
          stderr,
          "<--help>\n<sync><-vh>\n<--version>\n<sync><--json>\n<sync><--dry-run>\n<status><a  b><*><it's>\n",
        );
      }),
  );

  testNeeding(
    [shell],
    `${title}: the exit code of a failed sync or command is kept, and so is what it exported`,
    () =>
      withProgram(async (_, program) => {
        const or = shell === "fish" ? "; or echo caught" : " || echo caught";
        const script = `ef\necho ${status} "$GOT"\nef status\necho ${status}\nef${or}\nef status${or}`;
        const { stdout } = await runWithEf(shellCase, program, { script, code: 2 });
        assert.equal(stdout, '2 a  b\ntext; (to "show\n2\ncaught\ntext; (to "show\ncaught\n');
      }),
  );

  testNeeding(
    [shell],
    `${title}: a program that moved is found on the PATH, and a missing one is an error`,
    () =>
      withProgram(async (directory) => {
        const system = Deno.env.get("PATH") ?? "";
        const found = await runWithEf(shellCase, "/gone/euler-files", {
          script: `ef\n${show}`,
          path: `${directory}:${system}`,
        });
        assert.deepEqual([found.stdout, found.stderr], ["a  b\n", `<sync><${flag}>\n`]);
        const missing = await runWithEf(shellCase, "/gone/euler-files", { script: `ef\necho ${status}` });
        assert.equal(missing.stdout, "127\n");
        assert.match(missing.stderr, /euler-files/);
      }),
  );
}

for (const shellCase of CASES.filter(({ load }) => load === POSIX.load)) {
  const { shell, printedFor } = shellCase;
  const options = shell === "dash" ? "-eu" : "-euo pipefail";

  testNeeding(
    [shell],
    `${shell}, ef for ${printedFor}: set ${options} stops at a failure and at nothing else`,
    () =>
      withProgram(async (_, program) => {
        const before = `set ${options}`;
        const done = await runWithEf(shellCase, program, { before, script: 'ef; ef status; echo "on $GOT"' });
        assert.deepEqual([done.code, done.stdout], [0, 'text; (to "show\non a  b\n']);
        const handled = await runWithEf(shellCase, program, {
          before,
          script: 'ef || echo "caught $?"; if ef; then echo no; else echo "else $?"; fi; echo on',
          code: 2,
        });
        assert.deepEqual([handled.code, handled.stdout], [0, "caught 2\nelse 2\non\n"]);
        const stopped = await runWithEf(shellCase, program, { before, script: "ef\necho went on", code: 2 });
        assert.deepEqual([stopped.code, stopped.stdout], [2, ""]);
      }),
  );

  testNeeding(
    [shell],
    `${shell}, ef for ${printedFor}: an alias called ef is replaced`,
    () =>
      withProgram(async (_, program) => {
        const before = `${shell === "bash" ? "shopt -s expand_aliases\n" : ""}alias ef='echo alias'`;
        const { code, stdout } = await runWithEf(shellCase, program, { before, script: 'ef\necho "$GOT"' });
        assert.deepEqual([code, stdout], [0, "a  b\n"]);
      }),
  );
}

testNeeding(["bash"], "ef leaves no variable behind in bash", () =>
  withProgram(async (_, program) => {
    const script =
      'before="$(compgen -v | grep -v "^_$")"; ef; unset GOT\ncompgen -v | grep -vx -F -e _ -e before -e "$before"';
    const { stdout } = await runWithEf(CASES[0]!, program, { script });
    assert.equal(
      stdout.split("\n").filter((name) => name !== "" && !/^(BASH|PIPESTATUS|FUNCNAME)/.test(name)).join(),
      "",
    );
  }));
