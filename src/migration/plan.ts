// What a migration would do, and whether it can: checks everything, changes nothing.
import { dirname } from "node:path/posix";
import type { Config } from "../config/config.ts";
import { type AbsolutePath, isWithin, realLocation } from "../config/paths.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { planTransfer, type TransferPlan, type TransferRequest } from "../transfer/transfer.ts";
import { checkDestination, isOurs, type Move, observeSource, type SourceFacts } from "./destination.ts";
import { kernelspecWarnings } from "../venv/kernelspecs.ts";
import { listVenvs } from "../venv/venv.ts";
import { refuseDependents } from "./dependents.ts";
import { type Journal, journalPath, readJournal } from "./journal.ts";
import { planEnvironmentRewrites, planLinkRewrites, type Rewrite } from "./rewrites.ts";
import {
  type Companion,
  type ConfiguredDirectory,
  type Destination,
  findCompanions,
  findDestination,
  findDirectory,
  isOnScratch,
  otherDirectories,
  type Settings,
} from "./target.ts";

/** What to migrate. */
export interface MigrationRequest {
  readonly what: string;
  /** As typed; a migration that has begun knows its own. */
  readonly to: string | undefined;
  readonly oldDirectory: "delete" | "keep";
}

/** The part of the plan that every migration has. */
interface CommonPlan {
  readonly directory: ConfiguredDirectory;
  readonly destination: Destination;
  readonly move: Move;
  readonly companions: readonly Companion[];
  readonly journalPath: string;
  readonly journal: Journal | undefined;
  readonly oldDirectory: "delete" | "keep";
  readonly warnings: readonly string[];
}

/** The old directory is in use: copy it, then switch. `source` is undefined if there is nothing to copy. */
export interface CopyPlan extends CommonPlan {
  readonly kind: "copy";
  readonly copy: {
    /** The two directories, links followed. */
    readonly real: Move;
    readonly request: TransferRequest;
    readonly transfer: TransferPlan;
    readonly rewrites: readonly Rewrite[];
  } | undefined;
}

/** The configuration has been switched already: only the old directory is left to retire. */
export interface FinishPlan extends CommonPlan {
  readonly kind: "finish";
  readonly journal: Journal;
}

/** What is left to do. */
export type MigrationPlan = CopyPlan | FinishPlan;

/** The directory and the journal of a request; cheap. Throws a CliError if the request makes no sense. */
export async function locate(request: MigrationRequest, settings: Settings): Promise<CommonPlan> {
  const directory = findDirectory(request.what, settings);
  const path = await journalPath(settings.path, request.what);
  const journal = await readJournal(path);
  const typed = request.to ?? journal?.new_path;
  if (typed === undefined) {
    throw new CliError("usage", `Cannot migrate ${request.what}: no destination was given`, { hint: "add --to PATH" });
  }
  const destination = findDestination(directory, typed, settings);
  if (journal !== undefined) refuseOtherThan(journal, path, directory, destination);
  return {
    directory,
    destination,
    journalPath: path,
    journal,
    move: { what: directory.what, from: (journal?.from ?? directory.content) as AbsolutePath, to: destination.content },
    companions: findCompanions(directory, destination, settings),
    oldDirectory: request.oldDirectory,
    warnings: [],
  };
}

/** The result of the cheap checks. */
interface Checked extends CommonPlan {
  /** `finish`: the configuration has been switched, nothing is left to check. */
  readonly kind: "copy" | "finish";
  readonly source: SourceFacts | undefined;
}

/** All checks that don't examine every file: they run before a person is asked for permission. Throws CliErrors. */
export async function checkMigration(request: MigrationRequest, settings: Settings): Promise<Checked> {
  const common = await locate(request, settings);
  const { directory, move, journal } = common;
  if (journal !== undefined && directory.content === journal.to) {
    return { ...common, kind: "finish", source: undefined };
  }
  if (directory.content === move.to) {
    throw new CliError("usage", `Cannot migrate ${move.what} to "${move.to}": that is where it is`, {
      hint: "give another directory with --to",
    });
  }
  const source = await observeSource(move);
  if (source === undefined) {
    if (isOnScratch(directory.kind)) return { ...common, kind: "copy", source };
    throw new CliError("not-found", `Cannot migrate ${move.what}: there is no directory "${move.from}"`, {
      hint: "is it mounted here? `euler-files config show` shows what is configured",
    });
  }
  await checkDestination(move, source, journal);
  await refuseConfigInside(source, settings);
  return { ...common, kind: "copy", source, warnings: await warningsFor(common, source, settings) };
}

/** Plans the migration. Throws CliErrors for all obstacles. */
export async function planMigration(
  request: MigrationRequest,
  settings: Settings,
  system: System,
): Promise<MigrationPlan> {
  const { source, kind, ...common } = await checkMigration(request, settings);
  const { move, journal } = common;
  if (kind === "finish" && journal !== undefined) return { ...common, kind, journal };
  if (source === undefined) return { ...common, kind: "copy", copy: undefined };
  const real: Move = { what: move.what, from: source.realPath, to: await realLocation(move.to) };
  const transfer = await planTransfer(transferRequest(real, settings.config), system);
  refuseUnreadable(move, transfer);
  await refuseHiddenNames(move, transfer, journal);
  const rewrites = await planRewrites(common, real, transfer);
  return {
    ...common,
    kind: "copy",
    copy: { real, request: transferRequest(real, settings.config), transfer, rewrites },
  };
}

/** Everything in the copy that must be rewritten. */
export async function planRewrites(
  { directory, move }: Pick<MigrationPlan, "directory" | "move">,
  real: Move,
  transfer: TransferPlan,
): Promise<Rewrite[]> {
  const links = planLinkRewrites(transfer, [move.from, real.from], move.to);
  return directory.kind === "venv_base" ? [...links, ...await planEnvironmentRewrites(move, real)] : links;
}

/**
 * How the copy is made: exactly, and nothing at the destination is ever removed. The variable's filter is not used: the old
 * directory is deleted afterwards, and excluded files would be lost.
 */
function transferRequest(
  { from, to }: Move,
  { engine, quota_program: quotaProgram }: Config,
): TransferRequest {
  return {
    from,
    to,
    intent: "mirror",
    depth: "look-at-all",
    engine,
    quotaProgram,
    extraArgs: [],
    record: undefined,
  };
}

/** The command that continues a migration. It asks nothing: the question was answered, and there may be no terminal. */
export function resumeCommand(
  { what, to, oldDirectory }: Pick<Move, "what"> & { readonly to: string; readonly oldDirectory: "delete" | "keep" },
): string {
  const keeps = oldDirectory === "keep" ? " --no-delete" : "";
  return `euler-files migrate ${what} --to ${shellWord(to)}${keeps} --yes`;
}

/** The message about a migration that is not finished. */
export function unfinishedMigration(
  { what, new_path: to, old_directory: oldDirectory = "keep" }: Journal,
): { readonly text: string; readonly hint: string } {
  return {
    text: `the migration of ${what} to "${to}" is not finished`,
    hint: `go on with it: \`${resumeCommand({ what, to, oldDirectory })}\``,
  };
}

function refuseOtherThan(
  journal: Journal,
  path: string,
  directory: ConfiguredDirectory,
  destination: Destination,
): void {
  const { what } = directory;
  if (journal.to !== destination.content) {
    // Only while the old directory is in use may the new one, a copy, be deleted.
    const giveUp = directory.content === journal.from && journal.to_inode !== null
      ? `; to give it up: rm -r ${shellWord(journal.to)} ${shellWord(path)}`
      : "";
    throw new CliError("refused", `Cannot migrate ${what}: the migration to "${journal.to}" is not finished`, {
      hint: `finish it first: \`${
        resumeCommand({ what, to: journal.new_path, oldDirectory: journal.old_directory ?? "keep" })
      }\`${giveUp}`,
    });
  }
  if (directory.content !== journal.from && directory.content !== journal.to) {
    throw new CliError(
      "refused",
      `Cannot migrate ${what}: it was set to "${directory.content}" while it was being moved`,
      {
        hint: `if that is right, give the migration up: rm ${shellWord(path)}`,
      },
    );
  }
}

async function refuseConfigInside({ realPath }: SourceFacts, { path }: Settings): Promise<void> {
  if (!isWithin(await realLocation(path), realPath)) return;
  throw new CliError("refused", `Cannot migrate "${realPath}": the configuration "${path}" is in it`, {
    hint: "choose a smaller directory for it",
  });
}

async function warningsFor(common: CommonPlan, source: SourceFacts, settings: Settings): Promise<string[]> {
  const { directory, move, oldDirectory } = common;
  const others = otherDirectories(directory, settings);
  if (oldDirectory === "delete") await refuseLoss(move, source, others);
  if (oldDirectory === "delete" && directory.kind === "variable") {
    await refuseDependents(move, source, settings, resumeCommand({ ...move, oldDirectory: "keep" }));
  }
  const warnings: string[] = [];
  for (const { what, path } of others) {
    if (isWithin(move.to, path)) warnings.push(`"${move.to}" lies inside ${what} "${path}"`);
    else if (isWithin(path, move.to)) warnings.push(`"${move.to}" contains ${what} "${path}"`);
  }
  const { scratchBase } = resolveConfig({ ...settings.config, vars: {} }, settings.path, settings.env);
  if (!isOnScratch(directory.kind) && isWithin(await realLocation(move.to), await realLocation(scratchBase))) {
    warnings.push(`"${move.to}" lies on scratch "${scratchBase}", which is purged`);
  }
  const written = directory.field.length === 1 ? settings.config[directory.field[0] as "scratch_base"] : undefined;
  if (written?.includes("$") && !common.destination.stored.includes("$")) {
    warnings.push(
      `${directory.what} is "${written}" now and will be the same directory in every job: "${common.destination.stored}"`,
    );
  }
  if (source.isLink && oldDirectory === "delete") {
    warnings.push(`"${move.from}" is a link to "${source.realPath}"; neither is deleted`);
  }
  if (directory.kind === "venv_base") {
    for (const { name, path } of await listVenvs(move.from)) {
      const kernels = await kernelspecWarnings([path], `${move.to}/${name}`, settings.env);
      warnings.push(...kernels.map(({ text, hint }) => `${text}; afterwards run \`${hint}\``));
    }
  }
  return warnings;
}

/** Refuses if something else in the configuration is in the directory, by its own path or its real one: it would move, too. */
async function refuseLoss(
  { what, from }: Move,
  source: SourceFacts,
  others: readonly { readonly what: string; readonly path: AbsolutePath }[],
): Promise<void> {
  for (const other of others) {
    const isInside = isWithin(other.path, from) || isWithin(await realLocation(other.path), source.realPath);
    if (!isInside) continue;
    throw new CliError(
      "refused",
      `Cannot migrate ${what}: ${other.what} is in "${from}", too, and would be deleted with it`,
      {
        hint: `migrate ${other.what} first, or keep the old directory with --no-delete`,
      },
    );
  }
}

function refuseUnreadable(move: Move, { unreadable }: TransferPlan): void {
  if (unreadable.length === 0) return;
  throw new CliError("file-system", `Cannot migrate ${move.what}: some of "${move.from}" cannot be read`, {
    lines: unreadable.slice(0, 10).map(({ reason }) => reason),
    hint: `look at it: ls -la ${shellWord(dirname(`${move.from}/${unreadable[0]!.path}`))}`,
  });
}

/** Deno's directory listing omits names that are not UTF-8; the transfer's includes them. */
async function refuseHiddenNames(move: Move, transfer: TransferPlan, journal: Journal | undefined): Promise<void> {
  const extras = transfer.directories.flatMap(({ extras }) => extras);
  if (extras.length === 0 || await isOurs(move.to, journal)) return;
  throw new CliError("usage", `Cannot migrate ${move.what} to "${move.to}": the directory is not empty`, {
    hint: "choose a directory that does not exist yet, or an empty one",
  });
}
