// One command from start to end: find it, read its request, run it, print the answer, return the exit code. Catches all errors.
import type { AnyCommand, Context, Prompt } from "../contract/command.ts";
import { CliError, knownError, OutputLost } from "../errors/errors.ts";
import { NO_OPTIONS } from "../contract/global_options.ts";
import type { System } from "../system/system.ts";
import { VERSION } from "../contract/version.ts";
import { COMMANDS } from "./app.ts";
import { type ConfigureCommands, configureCommands, configureHints } from "./configured_commands.ts";
import type { ParsedArguments } from "./arguments.ts";
import type { EventLines } from "./event_lines.ts";
import { Output } from "./output.ts";
import { buildRequest, fieldsFromJson } from "./request.ts";
import { stylesFor } from "./style.ts";
import { findTarget, optionWords, type Target } from "./target.ts";

/** Runs one command line and returns the exit code. Throws only `OutputLost`. */
export async function run(argv: readonly string[], system: System): Promise<number> {
  const words = optionWords(argv);
  const audience = words.some((word) => /^--json(=|$)/.test(word) && word !== "--json=false")
    ? "json"
    : isSet(words, "--quiet")
    ? "quiet"
    : "person";
  const configure = configureCommands(words);
  const { stdout, stderr, env } = system;
  const hasLines = words.some((word, index) =>
    word === "--progress=json" || (word === "json" && words[index - 1] === "--progress")
  );
  const output = new Output({
    system,
    audience,
    styles: stylesFor({ stdout, stderr, env: hasLines ? { ...env, NO_COLOR: "1" } : env }),
    details: isSet(words, "--verbose"),
    configure,
    ...(hasLines ? { lines: await openEventLines(system, configure) } : {}),
  });
  // Until the command is known, a captured stdout may be on its way into an eval: `eval "$(euler-files snyc)"`.
  const stage: Stage = { words: undefined, command: undefined, evaluated: !system.stdout.isTerminal };
  try {
    return await Promise.race([runTarget(findTarget(argv), stage, output, system), failUncaught(system)]);
  } catch (error) {
    if (error instanceof OutputLost) throw error;
    const sentence = `Cannot complete \`euler-files${stage.words === undefined ? "" : ` ${stage.words}`}\``;
    return output.failure(knownError(sentence, error) ?? error, stage);
  }
}

async function openEventLines(system: System, configure: ConfigureCommands): Promise<EventLines> {
  const { EventLines } = await import("./event_lines.ts");
  return new EventLines(system, (document) => configureHints(document, configure));
}

/** After an error that no code waits for, the work has this long to clean up, because it may never end by itself. */
const CLEAN_UP_MILLISECONDS = 2000;

/** Deno has this function, but its types do not: they know it as a part of node:timers, which takes time to load. */
declare function setImmediate(callback: (nothing?: unknown) => void): void;

/**
 * Deno reports a rejection that no code handles before the second turn of its event loop. An immediate is such a turn, and
 * takes less than 0.1 ms; two timers take 2 ms, and runs were seen whose last timer never ended.
 */
async function lateRejections(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Rejects with an error that no code waits for, after the work has had time to clean up. */
function failUncaught({ uncaught }: System): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => setTimeout(() => reject(uncaught.reason), CLEAN_UP_MILLISECONDS);
    uncaught.addEventListener("abort", fail, { once: true });
  });
}

/** Whether a switch was given, by its name or by its letter among others (`-qy`). */
function isSet(words: readonly string[], flag: string): boolean {
  const letter = new RegExp(`^-[a-z]*${flag[2]}`);
  return words.some((word) => word === flag || letter.test(word));
}

interface Stage {
  /** The words that call the command. */
  words: string | undefined;
  command: string | undefined;
  evaluated: boolean;
}

async function runTarget(target: Target, stage: Stage, output: Output, system: System): Promise<number> {
  if (target.kind === "version") {
    if (output.printsJson) output.document({ ok: true, command: "version" });
    else system.stdout.write(`euler-files ${VERSION}\n`);
    return 0;
  }
  if (target.kind === "help") {
    if (output.printsJson) return await describe(target, output, system);
    const stream = target.asked ? system.stdout : system.stderr;
    const help = await (await import("./help.ts")).programHelp(
      target.group,
      stream.isTerminal ? stream.columns : 100,
    );
    stream.write(help);
    return target.asked ? 0 : 2;
  }
  const command = await COMMANDS[target.name]!.load();
  stage.words = target.name;
  stage.command = target.name.replaceAll(" ", "-");
  stage.evaluated = command.stdoutUse === "evaluated";
  const setWatchdogOutput = () => system.setWatchdogOutput?.(() => output.watchdogOutput(stage));
  setWatchdogOutput();
  const { given, options, helpAsked } = await parse(command, target.rest);
  if (helpAsked) {
    if (output.printsJson) {
      return await describe({ group: target.name.replaceAll(" ", "."), asked: true }, output, system);
    }
    const { commandHelp } = await import("./help.ts");
    system.stdout.write(commandHelp(command, system.stdout.isTerminal ? system.stdout.columns : 100));
    return 0;
  }
  const fromJson = options.inputJson === undefined
    ? {}
    : fieldsFromJson(command, await (await import("./input_json.ts")).readInputJson(options.inputJson, system));
  if (command.framed && !options.json && !system.stdout.isTerminal) output.openFrame();
  setWatchdogOutput();
  let request = buildRequest(command, fromJson, given);
  const context = await contextFor({ ...options, asks: command.ask !== undefined }, output, system);
  if (context.interactive && command.ask !== undefined) request = await command.ask(request, context);
  const answer = await command.run(request, context);
  await lateRejections();
  system.signal.throwIfAborted();
  // From now on stdout has what this run says.
  system.setWatchdogOutput?.(() => output.watchdogOutputAfterAnswer());
  output.answer(command, answer, request);
  return answer.exit_code ?? (answer.ok ? 0 : 1);
}

/** The help as JSON: what `schema --kind cli` answers. `group` may be a command, too. */
async function describe(
  { group, asked }: { readonly group: string | undefined; readonly asked: boolean },
  output: Output,
  system: System,
): Promise<number> {
  if (!asked) {
    throw new CliError("usage", `Missing the command after \`euler-files${group === undefined ? "" : ` ${group}`}\``, {
      hint: `\`euler-files${group === undefined ? "" : ` ${group}`} --help --json\` describes the commands`,
    });
  }
  const schema = await COMMANDS["schema"]!.load();
  const request = { kind: "cli", command: group, bare: false };
  output.answer(
    schema,
    await schema.run(request, await contextFor({ ...NO_OPTIONS, asks: false }, output, system)),
    request,
  );
  return 0;
}

/** Skips the parser without arguments: it takes a quarter of the start of a job's `sync`. */
async function parse(command: AnyCommand, words: readonly string[]): Promise<ParsedArguments> {
  if (words.length === 0) return { given: {}, options: NO_OPTIONS, helpAsked: false };
  return (await import("./arguments.ts")).parseArguments(command.name, command.fields, words);
}

async function contextFor(
  options: {
    readonly json: boolean;
    readonly quiet: boolean;
    readonly progress: "text" | "json" | undefined;
    readonly config: string | undefined;
    readonly asks: boolean;
  },
  output: Output,
  system: System,
): Promise<Context> {
  const isForPrograms = options.json || options.progress === "json";
  const mayAsk = options.asks && !isForPrograms && system.stdin.isTerminal && system.stderr.isTerminal;
  const terminal = mayAsk ? await import("./prompt.ts") : undefined;
  const interactive = terminal !== undefined && terminal.canAsk(system);
  return {
    system,
    configOption: options.config,
    report: (event) => output.report(event),
    interactive,
    prompt: interactive ? terminal!.terminalPrompt(system) : REFUSING_PROMPT,
    wantsDocument: options.json,
    sharesTerminal: !isForPrograms && !options.quiet && system.stderr.isTerminal,
  };
}

function refuse(): never {
  throw new CliError("usage", "Cannot ask: there is no terminal", {
    hint: "give the answers as options or with --input-json",
  });
}

const REFUSING_PROMPT: Prompt = {
  text: refuse,
  confirm: refuse,
  select: refuse,
  selectSeveral: refuse,
  note: () => {},
};
