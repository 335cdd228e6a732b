// `euler-files schema` prints the documents that scripts and editors read.
import assert from "node:assert/strict";
import { PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { loadCatalogue } from "../../src/cli/app.ts";
import { runInProcess } from "../support/in_process.ts";
import { validator } from "../support/json_schema.ts";

type Json = Record<string, unknown>;

async function schema(...argv: string[]): Promise<Json> {
  const { code, stdout } = await runInProcess(["schema", ...argv]);
  assert.equal(code, 0);
  return JSON.parse(stdout);
}

Deno.test("schema describes everything, with and without --json", async () => {
  const all = await schema();
  assert.deepEqual(Object.keys(all).sort(), [
    ..."cli command config document input_json kind ok output_json program_version progress schema_version".split(" "),
  ]);
  assert.deepEqual([all.command, all.kind], ["schema", "all"]);
  assert.deepEqual(await schema("--json"), all);
});

Deno.test("schema has an input and an output schema for every command, each valid JSON Schema 2020-12", async () => {
  const { input_json, output_json } = await schema() as Record<string, Record<string, Json>>;
  const names = (await loadCatalogue()).commands.map(({ name }) => name.replaceAll(" ", ".")).sort();
  for (const schemas of [input_json, output_json]) {
    assert.deepEqual(Object.keys(schemas!).sort(), names);
    for (const one of Object.values(schemas!)) {
      assert.equal(one.$schema, "https://json-schema.org/draft/2020-12/schema");
      assert.equal(typeof one.title, "string");
      validator(one);
    }
  }
});

Deno.test("schema --kind limits what is described, --command which commands are", async () => {
  const cli = await schema("--kind", "cli", "--command", "schema");
  assert.deepEqual(Object.keys(cli).sort(), [
    ..."cli command document kind ok program_version schema_version target_command".split(" "),
  ]);
  assert.equal(cli.target_command, "schema");
  assert.equal((cli.cli as Json).name, "schema");
  const input = await schema("--kind", "input", "--command", "schema");
  assert.deepEqual(Object.keys((input.input_json as Json).properties as Json), ["bare", "command", "kind"]);
});

Deno.test("schema --kind config is the bare schema that an editor reads, and part of the answer with --json", async () => {
  const bare = await schema("--kind", "config");
  assert.deepEqual((await schema("--kind", "config", "--json")).config, bare);
  const isValid = validator(bare);
  const config = { $schema: "x", version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "/hf" } }, later: 1 };
  assert.ok(isValid(config), JSON.stringify(isValid.errors));
  for (const wrong of [{ version: "1" }, { vars: { HF_HOME: { source: 1 } } }, { parallel_jobs: 0 }]) {
    assert.ok(!isValid({ ...config, ...wrong }), JSON.stringify(wrong));
  }
  const { code } = await runInProcess(["schema", "--kind", "config", "--command", "schema"]);
  assert.equal(code, 2);
});

Deno.test("schema --command says which command is unknown and suggests the closest one", async () => {
  const { code, stdout, stderr } = await runInProcess(["schema", "--command", "shcema"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.equal(stderr, 'error: Unknown command "shcema"\nhint: did you mean "schema"?\n');
});

Deno.test("the command tree has the keys that scripts know from older versions", async () => {
  const { cli } = await schema("--kind", "cli") as { cli: Json };
  const group = ["chain", "commands", "deprecated", "epilog", "help", "hidden", "name", "params", "short_help"];
  assert.deepEqual(Object.keys(cli), [...group.slice(0, 3), "environment", ...group.slice(3)]);
  const command = (cli.commands as Record<string, Json>).schema!;
  assert.deepEqual(Object.keys(command), group.filter((key) => key !== "chain" && key !== "commands"));
  const kind = (command.params as Json[]).find(({ name }) => name === "kind")!;
  assert.deepEqual(
    Object.keys(kind),
    "count default envvar flag_value help hidden is_flag multiple name nargs opts param_type_name prompt required secondary_opts type"
      .split(" "),
  );
  assert.deepEqual(kind.opts, ["--kind"]);
  assert.equal((kind.type as Json).param_type, "Choice");
});

Deno.test("schema --bare prints one schema and nothing else, or is refused", async () => {
  const bare = await schema("--kind", "output", "--command", "sync", "--bare");
  assert.deepEqual((await schema("--kind", "output", "--command", "sync")).output_json, bare);
  assert.equal((await schema("--kind", "cli", "--bare")).name, "euler-files");
  for (const argv of [["--bare"], ["--bare", "--kind", "all"], ["--bare", "--kind", "config", "--json"]]) {
    assert.equal((await runInProcess(["schema", ...argv])).code, 2);
  }
});

Deno.test("one field tells answers from errors, and each shape has one name", async () => {
  const { output_json } = await schema("--kind", "output") as { output_json: Record<string, Json> };
  const known = new Map<string, string>();
  for (const [command, { anyOf, $defs }] of Object.entries(output_json)) {
    const definitions = $defs as Record<string, { properties?: Record<string, Json> }>;
    const [answer, error] = (anyOf as { $ref: string }[]).map(({ $ref }) => definitions[$ref.replace("#/$defs/", "")]!);
    assert.deepEqual([answer!.properties!.document!.const, error!.properties!.document!.const], ["answer", "error"]);
    for (const [name, definition] of Object.entries(definitions)) {
      const text = JSON.stringify(definition);
      assert.equal(known.get(name) ?? text, text, `${name} of ${command} is another type elsewhere`);
      known.set(name, text);
      for (const [field, part] of Object.entries(definition.properties ?? {})) {
        const isCount = /^(files|bytes)_|_(files|bytes)$/.test(field) && part.type === "number";
        assert.ok(!isCount, `${name}.${field} must be an integer`);
      }
    }
  }
  for (const name of ["SyncAnswer", "Failure", "Problem", "ProblemKind", "Summary", "SyncResult"]) {
    assert.ok(known.has(name), name);
  }
});

Deno.test("the command tree describes variables, required arguments and what groups accept", async () => {
  interface Node {
    readonly params: readonly { readonly name: string; readonly envvar: string | null; readonly required: boolean }[];
    readonly commands: Record<string, Node>;
    readonly environment: readonly { readonly name: string }[];
  }
  const { cli } = await schema("--kind", "cli") as unknown as { cli: Node };
  const parameter = ({ params }: Node, name: string) => params.find((one) => one.name === name)!;
  const { venv, config, sync } = cli.commands as Record<string, Node>;
  for (const node of [cli, venv!, config!]) {
    for (const name of ["json", "config", "quiet", "help"]) assert.ok(parameter(node, name), name);
  }
  assert.equal(parameter(sync!, "config").envvar, "EULER_FILES_CONFIG");
  assert.equal(parameter(venv!.commands.list!, "venv_base").envvar, "VENV_DIR");
  assert.deepEqual(
    ["field", "value"].map((name) => parameter(config!.commands.set!, name).required),
    [true, true],
  );
  assert.equal(parameter(sync!, "vars").required, false);
  const described = cli.environment.map(({ name }) => name);
  assert.ok(described.includes("NO_COLOR"));
  for await (const text of sourceTexts(`${PROJECT_DIRECTORY}/src`)) {
    for (const [name] of text.matchAll(/\bEULER_FILES_[A-Z_]+/g)) assert.ok(described.includes(name), name);
  }
});

async function* sourceTexts(directory: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (isDirectory) yield* sourceTexts(`${directory}/${name}`);
    else yield await Deno.readTextFile(`${directory}/${name}`);
  }
}
