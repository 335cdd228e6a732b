// `euler-files schema`: the command line, the JSON it takes and the JSON it prints, as documents for programs.
import * as v from "valibot";
import { type Answer, type AnyCommand, type Catalogue, type Command, defineCommand } from "../contract/command.ts";
import { stampOf } from "../contract/document.ts";
import { CONFIG_SCHEMA } from "../config/config.ts";
import { CliError } from "../errors/errors.ts";
import { choice, flag, text } from "../contract/fields.ts";
import { jsonText } from "../text/json_text.ts";
import { closestString } from "../text/closest_string.ts";
import { cliTree, commandNode, groupNode } from "../schema/cli_tree.ts";
import { EVENT_LINE_SCHEMA } from "../contract/event_lines.ts";
import { withDefinitions } from "../schema/definitions.ts";
import { inputSchema } from "../schema/input_schema.ts";
import { type JsonSchema, schemaPart, wholeSchema } from "../schema/json_schema.ts";
import { outputSchema } from "../schema/output_schema.ts";

const KINDS = ["all", "cli", "input", "output", "config", "progress"] as const;

const fields = {
  kind: choice(KINDS, "What to describe; all of it if not given", { placeholder: "KIND" }),
  command: text("Only this command or group, dotted: apptainer.build", { placeholder: "PATH" }),
  bare: flag("Print the schema of one kind alone, without the answer around it"),
};

const document = v.record(v.string(), v.unknown());

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("schema"),
  kind: v.picklist(KINDS),
  target_command: v.optional(v.pipe(v.string(), v.description("What --command named, dotted"))),
  cli: v.optional(v.pipe(document, v.description("The command line as a tree of commands and their parameters"))),
  input_json: v.optional(
    v.pipe(document, v.description("JSON Schema of --input-json by command, or that of the one command")),
  ),
  output_json: v.optional(v.pipe(document, v.description("JSON Schema of what --json prints, in the same way"))),
  config: v.optional(v.pipe(document, v.description("JSON Schema of the configuration file"))),
  progress: v.optional(v.pipe(document, v.description("JSON Schema of a line that --progress json writes to stderr"))),
});

/** The fields of the answer, under the names of older versions. */
type SchemaAnswer = Answer & v.InferOutput<typeof answer>;

/** The command; the table of commands is a parameter because importing it would be circular. */
export function schemaCommand(loadCatalogue: () => Promise<Catalogue>): Command<typeof fields, SchemaAnswer> {
  return defineCommand({
    name: "schema",
    summary: "Print schemas of the command line and of its JSON",
    description:
      "Always prints JSON. The schemas are JSON Schema 2020-12 and come from the same descriptions that check " +
      "the requests. `--kind config` without --json prints the bare schema of the configuration file, for editors.",
    examples: [
      { command: "euler-files schema --kind input --command sync", does: "What `sync --input-json` takes" },
      { command: "euler-files schema --kind cli", does: "Every command with its options" },
      {
        command: "euler-files schema --kind output --command sync --bare",
        does: "One JSON Schema, for a generator of types",
      },
      {
        command: "euler-files schema --kind config > schema.json",
        does: "For an editor that completes the configuration",
      },
    ],
    fields,
    answer,
    stdoutUse: "data",
    run: async (request, { wantsDocument }) => {
      if (request.bare) refuseBare(request.kind, wantsDocument);
      const catalogue = await loadCatalogue();
      const kind = request.kind ?? "all";
      const scope = findScope(request.command, catalogue);
      if ((kind === "config" || kind === "progress") && scope.kind !== "all") {
        throw new CliError("usage", `Cannot use --command with --kind ${kind}, which is the same for all commands`);
      }
      const wants = (part: typeof KINDS[number]) => kind === "all" || kind === part;
      return {
        ok: true,
        command: "schema",
        kind,
        ...(scope.path === undefined ? {} : { target_command: scope.path }),
        ...(wants("cli") ? { cli: describeCli(scope, catalogue) } : {}),
        ...(wants("input") ? { input_json: describeEach(scope, inputSchema) } : {}),
        ...(wants("output") ? { output_json: describeEach(scope, outputSchema) } : {}),
        ...(wants("config") && scope.kind === "all" ? { config: configSchema() } : {}),
        ...(wants("progress") && scope.kind === "all" ? { progress: progressSchema() } : {}),
      };
    },
    render: (answer, _styles, { bare }) => ({
      stdout: jsonText(bare || answer.kind === "config" ? schemaIn(answer) : { ...stampOf("answer"), ...answer }),
    }),
  });
}

function refuseBare(kind: typeof KINDS[number] | undefined, wantsDocument: boolean): void {
  if (wantsDocument) {
    throw new CliError("usage", "Cannot use --bare with --json, which prints the answer around the schema", {
      hint: "leave out --json: the schema itself is JSON, too",
    });
  }
  if (kind !== undefined && kind !== "all") return;
  throw new CliError("usage", "Cannot use --bare without --kind: there are several schemas", {
    hint: "euler-files schema --kind output --command sync --bare",
  });
}

/** The one schema of an answer, or one for each command. */
function schemaIn({ cli, input_json, output_json, config, progress }: SchemaAnswer): unknown {
  return cli ?? input_json ?? output_json ?? config ?? progress;
}

/** The subject of a schema: everything, a group, or one command. */
interface Scope {
  readonly kind: "all" | "group" | "command";
  readonly path: string | undefined;
  readonly commands: readonly AnyCommand[];
}

/** The schema of the configuration file. */
export function configSchema(): JsonSchema {
  const part = schemaPart(CONFIG_SCHEMA);
  // An editor would mark the line with `$schema`, which names this schema, unless the schema allows it.
  const properties = { $schema: { type: "string" }, ...part.properties as JsonSchema };
  return wholeSchema({ ...part, properties }, "Configuration of euler-files");
}

function progressSchema(): JsonSchema {
  return wholeSchema(
    withDefinitions(schemaPart(EVENT_LINE_SCHEMA)),
    "EventLine",
    "A line of stderr with --progress json",
  );
}

function findScope(path: string | undefined, { commands, groups }: Catalogue): Scope {
  if (path === undefined) return { kind: "all", path, commands };
  const words = path.replaceAll(".", " ");
  const one = commands.find(({ name }) => name === words);
  if (one !== undefined) return { kind: "command", path: dotted(one), commands: [one] };
  const group = commands.filter(({ name }) => name.startsWith(`${words} `));
  if (Object.hasOwn(groups, words) && group.length > 0) return { kind: "group", path: words, commands: group };
  const near = closestString(words, [...commands.map(({ name }) => name), ...Object.keys(groups)]);
  throw new CliError("usage", `Unknown command "${path}"`, {
    hint: near === undefined ? "see `euler-files --help` for the list" : `did you mean "${near.replace(" ", ".")}"?`,
  });
}

function dotted(command: AnyCommand): string {
  return command.name.replaceAll(" ", ".");
}

function describeCli(scope: Scope, catalogue: Catalogue): JsonSchema {
  const [first] = scope.commands;
  if (scope.kind === "all" || first === undefined) return { ...cliTree(catalogue) };
  if (scope.kind === "command") return { ...commandNode(first) };
  const group = scope.path ?? "";
  return { ...groupNode(group, catalogue.groups[group] ?? "", scope.commands) };
}

function describeEach(scope: Scope, describe: (command: AnyCommand) => JsonSchema): JsonSchema {
  const [first] = scope.commands;
  if (scope.kind === "command" && first !== undefined) return describe(first);
  return Object.fromEntries(scope.commands.map((command) => [dotted(command), describe(command)]));
}
