// Scripts for the older Python tool still work: its options, the fields and names that it read from JSON, the keys of
// its answers. The list in this file is what those scripts may rely on.
import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/app.ts";
import { parseArguments } from "../../src/cli/arguments.ts";
import { fieldsFromJson } from "../../src/cli/request.ts";
import { jsonName } from "../../src/contract/fields.ts";
import { outputSchema } from "../../src/schema/output_schema.ts";

interface OldCommand {
  /** A command line that uses every option of the older tool. */
  readonly argv: readonly string[];
  /**
   * Every field that --input-json accepted; several names of one field are listed together, the one with precedence
   * first.
   */
  readonly input: Readonly<Record<string, unknown>>;
  readonly aliases?: Readonly<Record<string, string>>;
  /** Keys of the answer. */
  readonly output: string;
}

const APPTAINER = { venv_base: "/v", sif_store: "/s", scratch_sif_dir: "/x" };
const CONFIG = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "/hf" } } };

const OLD: Readonly<Record<string, OldCommand>> = {
  "init": { argv: [], input: { config: CONFIG }, output: "command config config_path ok status" },
  "sync": {
    argv: ["--dry-run", "--force", "--var", "A", "--var", "B", "-v", "--verbose"],
    input: { vars: ["A"], dry_run: true, force: true, verbose: true },
    aliases: { only_vars: "vars" },
    output: "command dry_run errors exports force ok only_vars results scratch_base verbose",
  },
  "status": { argv: [], input: {}, output: "command ok total_scratch_usage variables warnings config" },
  "push": {
    argv: ["--var", "A", "--dry-run"],
    input: { vars: ["A"], dry_run: true },
    aliases: { only_vars: "vars" },
    output: "command dry_run errors ok only_vars results",
  },
  "migrate": {
    argv: ["HF_HOME", "--to", "/p", "--dry-run", "--no-delete", "-y", "--yes"],
    input: { what: "HF_HOME", to: "/p", no_delete: true, dry_run: true, yes: true },
    aliases: { to_path: "to", new_path: "to", keep_old: "no_delete" },
    output: "command deleted_old dry_run keep_old new_path ok old_path status target_type what",
  },
  "shell-init": { argv: ["--shell", "fish"], input: { shell: "zsh" }, output: "command ok script shell" },
  "schema": {
    argv: ["--kind", "cli", "--command", "sync"],
    input: {},
    output: "command kind cli input_json target_command",
  },
  "venv install": {
    argv: [
      ...[
        "e",
        "torch==2.4.0+cu121",
        "numpy",
        "--python",
        "3.11",
        "--venv-base",
        "/v",
        "--dry-run",
        "--uv-cache-dir",
        "/c",
      ],
      ...["--index-url", "u", "--extra-index-url", "a", "--extra-index-url", "b"],
    ],
    input: {
      ...{ env_name: "e", packages: ["a"], python: "3.11", venv_base: "/v", uv_cache_dir: "/c", dry_run: true },
      ...{ index_url: "u", extra_index_urls: ["a"] },
    },
    aliases: { requirements: "packages" },
    output:
      "command commands created dry_run env_name extra_index_urls index_url ok packages python uv_cache_dir venv_base venv_path",
  },
  "apptainer init": { argv: [], input: { apptainer: APPTAINER }, output: "apptainer command config_path ok status" },
  "apptainer build": {
    argv: ["e", "--force", "--dry-run"],
    input: { venv_name: "e", force: true, dry_run: true },
    output:
      "build_args build_command command definition definition_path dry_run force ok python_version sif_path status " +
      "tar_path venv_name venv_path",
  },
  "apptainer sync": {
    argv: ["--dry-run", "--force", "--image", "a", "--image", "b"],
    input: { images: ["a"], force: true, dry_run: true },
    aliases: { only_images: "images" },
    output: "command dry_run errors force ok only_images results",
  },
  "apptainer prune": {
    argv: ["e", "--mode", "both", "--dry-run", "-y", "--yes"],
    input: { image_name: "e", mode: "sif", dry_run: true, yes: true },
    aliases: { venv_name: "image_name" },
    output: "command deleted dry_run image_name mode ok status targets yes",
  },
  "apptainer fixup": {
    argv: ["e", "--dry-run"],
    input: { venv_name: "e", dry_run: true },
    output: "command dry_run ok results venv_name",
  },
};

for (const [name, old] of Object.entries(OLD)) {
  Deno.test(`${name} accepts the options and JSON fields it always accepted, and answers with the same keys`, async () => {
    const command = await COMMANDS[name]!.load();
    parseArguments(name, command.fields, [...old.argv, "--json", "--input-json", "-"]);
    const given = fieldsFromJson(command, { ...old.input });
    assert.deepEqual(Object.keys(given).map(jsonName).sort(), Object.keys(old.input).sort());
    for (const [alias, own] of Object.entries(old.aliases ?? {})) {
      assert.deepEqual(Object.keys(fieldsFromJson(command, { [alias]: old.input[own] })).map(jsonName), [own]);
    }
    const keys = keysIn(outputSchema(command));
    assert.deepEqual(old.output.split(" ").filter((key) => !keys.has(key)), []);
  });
}

Deno.test("a configuration or a section is accepted with and without its name around it", async () => {
  for (
    const [name, field, value] of [["init", "config", CONFIG], ["apptainer init", "apptainer", APPTAINER]] as const
  ) {
    const command = await COMMANDS[name]!.load();
    assert.deepEqual(fieldsFromJson(command, { ...value }), fieldsFromJson(command, { [field]: value }));
  }
});

/** The property names of the answers that a schema describes; `whole` has the definitions that parts refer to. */
function keysIn(schema: Record<string, unknown>, whole = schema): Set<string> {
  const name = typeof schema.$ref === "string" ? schema.$ref.replace("#/$defs/", "") : undefined;
  if (name !== undefined) return keysIn((whole.$defs as Record<string, Record<string, unknown>>)[name]!, whole);
  const alternatives = (schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []) as Record<string, unknown>[];
  return new Set([
    ...Object.keys(schema.properties ?? {}),
    ...alternatives.flatMap((part) => [...keysIn(part, whole)]),
  ]);
}
