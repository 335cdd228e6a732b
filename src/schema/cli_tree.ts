// The command line as a tree of groups, commands and parameters. Its keys are those that scripts know from the older
// Python versions (Click's `to_info_dict`), with null for properties that this program does not have.
import type { AnyCommand, Catalogue } from "../contract/command.ts";
import { argumentLabel, type Field, type Fields, isNegated, jsonName, optionName } from "../contract/fields.ts";
import { GLOBAL_OPTIONS } from "../contract/global_options.ts";

/** One option or argument. */
export type Parameter = Record<string, unknown>;

/** A command; a group is one with `commands`. */
export interface CommandNode {
  readonly name: string;
  readonly help: string;
  readonly short_help: string;
  readonly epilog: null;
  readonly hidden: false;
  readonly deprecated: false;
  readonly params: readonly Parameter[];
  readonly chain?: false;
  readonly commands?: Readonly<Record<string, CommandNode>>;
  /** The environment variables that the program reads; only at the root. */
  readonly environment?: readonly EnvironmentVariable[];
}

/** An environment variable that this program reads. */
interface EnvironmentVariable {
  readonly name: string;
  readonly help: string;
}

/** The variables that change what the program does. Variables in paths of the configuration (`$SCRATCH`) come besides. */
const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: "EULER_FILES_CONFIG", help: "The configuration, if --config is not given" },
  { name: "EULER_FILES_SITE_CONFIG", help: "The site's configuration instead of /etc/euler-files.json; empty: none" },
  {
    name: "EULER_FILES_ANSWER_SECONDS",
    help: "How long a file server may take to answer, 600 if not given; 0: for ever",
  },
  {
    name: "EULER_FILES_HEARTBEAT_SECONDS",
    help: "How often a process on a node writes a sign of life to stderr; set by the process that waits for it",
  },
  { name: "EULER_FILES_SHELL", help: "The shell whose syntax is printed, if --shell is not given: a name or a path" },
  { name: "VENV_DIR", help: "Directory of the environments, if neither an option nor the configuration names one" },
  { name: "UV_CACHE_DIR", help: "uv's cache, if neither an option nor the configuration names one" },
  { name: "TMPDIR", help: "The disk of the node, if node_base is not configured" },
  { name: "HOME", help: "Where ~ leads; read from the user database if it is not set" },
  { name: "VISUAL", help: "The editor of `config edit`" },
  { name: "EDITOR", help: "The same, if VISUAL is not set" },
  { name: "NO_COLOR", help: "If not empty: no colours" },
  { name: "FORCE_COLOR", help: "If not empty: colours also where there is no terminal" },
  { name: "CLICOLOR_FORCE", help: "The same as FORCE_COLOR" },
];

/** The tree of everything. */
export function cliTree({ commands, groups }: Catalogue): CommandNode {
  const nodes: Record<string, CommandNode> = {};
  for (const command of commands) {
    const [first = "", second] = command.name.split(" ");
    nodes[first] ??= second === undefined
      ? commandNode(command)
      : groupNode(first, groups[first] ?? "", commands.filter(({ name }) => name.startsWith(`${first} `)));
  }
  return {
    ...describe("euler-files", "Stages cache directories from slow storage to fast scratch"),
    params: [switchParameter("version", ["-V", "--version"], "Show the version"), ...globalParameters(), HELP],
    chain: false,
    commands: nodes,
    environment: ENVIRONMENT,
  };
}

/** The options of every command, which may stand before its name, too. */
function globalParameters(): Parameter[] {
  return Object.entries(GLOBAL_OPTIONS as Fields).flatMap(([name, field]) => options(name, field));
}

/** The node of one group and its commands. */
export function groupNode(name: string, summary: string, commands: readonly AnyCommand[]): CommandNode {
  return {
    ...describe(name, summary),
    params: [...globalParameters(), HELP],
    chain: false,
    commands: Object.fromEntries(commands.map((command) => [command.name.split(" ").at(-1), commandNode(command)])),
  };
}

/** The node of one command. */
export function commandNode(command: AnyCommand): CommandNode {
  const name = command.name.split(" ").at(-1)!;
  const fields = Object.entries({ ...command.fields, ...GLOBAL_OPTIONS } as Fields);
  return {
    ...describe(name, command.summary, command.description),
    params: [
      ...fields.filter(([name, field]) => argumentLabel(name, field) !== undefined).map(([name, field]) =>
        argument(name, field)
      ),
      ...fields.filter(([, { placement }]) => placement === "option").flatMap(([name, field]) => options(name, field)),
      HELP,
    ],
  };
}

function describe(name: string, summary: string, description?: string): Omit<CommandNode, "params"> {
  return {
    name,
    help: description === undefined ? summary : `${summary}.\n\n${description}`,
    short_help: summary,
    epilog: null,
    hidden: false,
    deprecated: false,
  };
}

function argument(name: string, field: Field<unknown>): Parameter {
  return {
    name: jsonName(name),
    param_type_name: "argument",
    opts: [jsonName(name)],
    secondary_opts: [],
    type: typeOf(field),
    default: null,
    envvar: field.variable ?? null,
    help: field.help,
    required: field.required === true,
    multiple: false,
    nargs: field.shape === "list" ? -1 : 1,
  };
}

function options(name: string, field: Field<unknown>): Parameter[] {
  if (field.variants === undefined) return [option(name, field)];
  return field.variants.map(({ flag, help }) => ({ ...option(name, { ...field, flag, help }), name: flag.slice(2) }));
}

function option(name: string, field: Field<unknown>): Parameter {
  const flag = optionName(name, field);
  const isSwitch = field.shape === "switch";
  return {
    name: jsonName(name),
    param_type_name: "option",
    opts: field.short === undefined ? [flag] : [field.short, flag],
    secondary_opts: isSwitch && field.default === true && !isNegated(name, field) ? [`--no-${flag.slice(2)}`] : [],
    type: typeOf(field),
    default: field.default ?? null,
    envvar: field.variable ?? null,
    help: field.help,
    hidden: false,
    required: field.required === true,
    multiple: field.shape === "list",
    nargs: 1,
    is_flag: isSwitch,
    flag_value: isSwitch ? true : null,
    count: false,
    prompt: null,
  };
}

function switchParameter(name: string, opts: readonly string[], help: string): Parameter {
  const field: Field<unknown> = { ...GLOBAL_OPTIONS.json, help };
  return { ...option(name, field), opts };
}

const HELP = switchParameter("help", ["-h", "--help"], "Show this help");

function typeOf(field: Field<unknown>): Record<string, unknown> {
  if (field.choices !== undefined) {
    return { name: "choice", param_type: "Choice", choices: field.choices, case_sensitive: true };
  }
  return field.shape === "switch" ? { name: "boolean", param_type: "Bool" } : { name: "text", param_type: "String" };
}
