// How argv is read: which command is meant, and which options and arguments were given to it.
import assert from "node:assert/strict";
import { parseArguments } from "../../src/cli/arguments.ts";
import { CliError } from "../../src/errors/errors.ts";
import * as v from "valibot";
import { choice, flag, flagOff, list, text, variants } from "../../src/contract/fields.ts";
import { SCHEMA_VERSION, VERSION } from "../../src/contract/version.ts";
import { runInProcess } from "../support/in_process.ts";

const FIELDS = {
  what: text("An argument", { placement: "argument" }),
  words: list("The rest", { placement: "argument" }),
  names: list("Names", { flag: "--name" }),
  to: text("A place", { placeholder: "PATH" }),
  mode: choice(["both", "one"], "A mode"),
  dryRun: flag("Only show"),
  noDelete: flag("Keep"),
  yes: flag("Don't ask", { short: "-y" }),
  verify: flagOff("Look again"),
  rules: variants(
    [{ flag: "--less", prefix: "- ", help: "Fewer" }, { flag: "--more", prefix: "+ ", help: "More" }],
    v.string(),
    "Rules",
  ),
};

function given(...words: string[]): Record<string, unknown> {
  return parseArguments("move", FIELDS, words).given;
}

function messageFor(...words: string[]): string {
  try {
    given(...words);
  } catch (error) {
    assert.ok(error instanceof CliError);
    assert.equal(error.kind, "usage");
    return `${error.message} | ${error.hint}`;
  }
  throw new Error("expected an error");
}

Deno.test("the result holds only what was given", () => {
  assert.deepEqual(given(), {});
  assert.deepEqual(given("a", "b", "c"), { what: "a", words: ["b", "c"] });
  assert.deepEqual(given("--name", "x", "--name=y"), { names: ["x", "y"] });
  assert.deepEqual(given("--dry-run", "-y"), { dryRun: true, yes: true });
});

Deno.test("options that add to one list keep the order of the command line", () => {
  assert.deepEqual(given("--less", "a", "--more=b", "--dry-run", "--less", "c"), {
    rules: ["- a", "+ b", "- c"],
    dryRun: true,
  });
  assert.deepEqual(given("--more", "b"), { rules: ["+ b"] });
  assert.match(messageFor("--more"), /Option "--more" needs a value/);
});

Deno.test("plain arguments are added to the list of an option", () => {
  const fields = { vars: list("Only this", { flag: "--var", placeholder: "NAME", argument: "VARIABLE" }) };
  const varsOf = (...words: string[]) => parseArguments("sync", fields, words).given;
  assert.deepEqual(varsOf(), {});
  assert.deepEqual(varsOf("A", "B"), { vars: ["A", "B"] });
  assert.deepEqual(varsOf("A", "--var", "B", "C"), { vars: ["B", "A", "C"] });
});

Deno.test("a --no- option sets its own field, or switches off an option that is on by default", () => {
  assert.deepEqual(given("--no-delete"), { noDelete: true });
  assert.deepEqual(given("--no-verify"), { verify: false });
  assert.deepEqual(given("--no-verify", "--verify"), { verify: true });
});

Deno.test("values may start with a dash, be empty or hold an equals sign", () => {
  assert.deepEqual(given("--to", "-x"), { to: "-x" });
  assert.deepEqual(given("--to=--yes"), { to: "--yes" });
  assert.deepEqual(given("--to=a=b"), { to: "a=b" });
  assert.deepEqual(given("--to", ""), { to: "" });
  assert.deepEqual(given("--", "-a", "--yes"), { what: "-a", words: ["--yes"] });
});

Deno.test("an option where a value is expected is reported as a forgotten value", () => {
  assert.equal(
    messageFor("x", "--to", "--yes"),
    'Option "--to" needs a value, but "--yes" follows | write --to <PATH>, or --to=--yes if that is the value',
  );
  assert.equal(
    messageFor("--to", "--", "x"),
    'Option "--to" needs a value, but "--" follows | write --to <PATH>, or --to=-- if that is the value',
  );
  assert.equal(messageFor("--to"), 'Option "--to" needs a value | write --to <PATH>');
});

Deno.test("for a mistyped option the error suggests the closest one", () => {
  assert.equal(messageFor("--dry-rnu"), 'Unknown option "--dry-rnu" | did you mean `--dry-run`?');
  assert.equal(messageFor("--xyzzy"), 'Unknown option "--xyzzy" | see `euler-files move --help`');
});

Deno.test("a surplus argument is named in the error", async () => {
  const { code, stderr } = await runInProcess(["schema", "sync"]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: Unexpected argument "sync" for `euler-files schema`\nhint: /);
});

Deno.test("for a mistyped command the error suggests the closest one, and a captured stdout gets a failing statement", async () => {
  const { code, stdout, stderr } = await runInProcess(["shcema"]);
  assert.deepEqual([code, stdout], [2, "false;\n"]);
  assert.equal(stderr, 'error: Unknown command "shcema"\nhint: did you mean `euler-files schema`?\n');
});

Deno.test("names that every JavaScript object has are no commands, groups or fields", async () => {
  for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty"]) {
    const { code, stderr } = await runInProcess([name]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`^error: Unknown command "${name}"`));
    const payload = await runInProcess(["schema", "--input-json", "-"], { stdin: `{"${name}":1}` });
    assert.equal(payload.code, 2);
    assert.match(payload.stderr, new RegExp(`^error: Unknown field "${name}"`));
  }
});

Deno.test("options that every command has may precede the command", async () => {
  const { code, stdout } = await runInProcess(["--json", "--config", "schema", "schema", "--kind", "cli"]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).kind, "cli");
});

Deno.test("-V and --version print the version, with options of every command before them", async () => {
  for (const argv of [["-V"], ["--version"], ["--quiet", "-V"]]) {
    const { code, stdout } = await runInProcess(argv);
    assert.equal(code, 0);
    assert.match(stdout, /^euler-files \d/);
  }
});

Deno.test("version and help are JSON if JSON was asked for, and so is a call without a command", async () => {
  const answerOf = async (...argv: string[]) => {
    const { code, stdout, stderr } = await runInProcess(argv);
    assert.equal(stderr, "");
    return { code, ...JSON.parse(stdout) };
  };
  for (const flag of ["--json", "--json=true"]) {
    const version = await answerOf("--version", flag);
    assert.deepEqual(version, {
      ...{ code: 0, ok: true, command: "version" },
      ...{ document: "answer", schema_version: SCHEMA_VERSION, program_version: VERSION },
    });
    assert.equal((await answerOf("--help", flag)).cli.name, "euler-files");
    assert.deepEqual(Object.keys((await answerOf("venv", "--help", flag)).cli.commands).slice(0, 2), [
      "install",
      "list",
    ]);
    assert.equal((await answerOf("apptainer", "build", "--help", flag)).cli.name, "build");
    assert.deepEqual((await answerOf("help", "sync", flag)).target_command, "sync");
    for (const words of [[], ["venv"]]) {
      const { code, ok, error } = await answerOf(...words, flag);
      assert.deepEqual([code, ok, error.kind], [2, false, "usage"]);
    }
  }
  assert.deepEqual((await answerOf("schema", "--json=maybe")).error.kind, "usage");
  assert.match((await runInProcess(["--version", "--json=false"])).stdout, /^euler-files \d/);
});

Deno.test("a value for an option that takes none is named in the error", () => {
  assert.match(messageFor("--dry-run=yes"), /^Option "--dry-run" takes no value \| write --dry-run$/);
  assert.match(messageFor("--no-delete=1"), /^Option "--no-delete" takes no value/);
  assert.match(messageFor("--nothing=1"), /unknown option/i);
});

Deno.test("four ways of asking for help print the same", async () => {
  const expected = (await runInProcess(["schema", "--help"])).stdout;
  assert.match(expected, /Usage: euler-files schema/);
  for (const argv of [["schema", "-h"], ["--help", "schema"], ["help", "schema"]]) {
    assert.deepEqual(await runInProcess(argv), { code: 0, stdout: expected, stderr: "" });
  }
});

Deno.test("without a command the help goes to stderr with exit code 2, and nothing goes to stdout", async () => {
  const { code, stdout, stderr } = await runInProcess([]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /Usage: euler-files COMMAND/);
});

Deno.test("usage errors are JSON if JSON was asked for", async () => {
  const { code, stdout, stderr } = await runInProcess(["schema", "--json", "--kind", "bogus"]);
  assert.deepEqual([code, stderr], [2, ""]);
  assert.deepEqual(JSON.parse(stdout), {
    ok: false,
    document: "error",
    schema_version: SCHEMA_VERSION,
    program_version: VERSION,
    command: "schema",
    error: {
      field: "kind",
      kind: "usage",
      lines: [],
      type: "ValueError",
      message: 'Invalid value for "--kind": expected one of all, cli, input, output, config, progress, got "bogus"',
      hint: "see `euler-files schema --help`",
    },
  });
});
