// `euler-files venv migrate-store`: moves all environments, and uv's cache, to other directories.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { type ConfigEdit, editConfig } from "../config/config_edit.ts";
import type { ConfigFile } from "../config/config_file.ts";
import { type AbsolutePath, joinPath, resolvePath, toAbsolutePath } from "../config/paths.ts";
import { CliError, knownError } from "../errors/errors.ts";
import { flag, flagOff, list, type RequestOf, text } from "../contract/fields.ts";
import { isDirectory } from "../system/existence.ts";
import { listSome } from "../text/format.ts";
import { commandLine } from "../shell/quote.ts";
import { findUv, type Uv, uvMissing } from "../tools/uv.ts";
import { defaultUvCache, readConfigIfThere, resolveUvCache, resolveVenvBase } from "../venv/base.ts";
import { kernelspecWarnings } from "../venv/kernelspecs.ts";
import { planRebuild, rebuild, type Rebuilt } from "../venv/rebuild.ts";
import { differenceFailures, type Failure, FAILURE_SCHEMA, failureOf } from "../runs/failures.ts";
import { asOneRun, describeRebuild, REBUILD_ENTRIES, type RebuildAnswer } from "../venv/rebuild_answer.ts";
import {
  type CacheCopy,
  checkPaths,
  copyCache,
  findUnlisted,
  isCacheDeleted,
  keptCache,
  refuseManagedCache,
  removeOld,
  type SafeFiles,
  selectVenvs,
  type StorePaths,
} from "../venv/store.ts";

const DIRECTORY = { placeholder: "DIR" };

const fields = {
  oldVenvBase: text("Where the environments are; the configured base or $VENV_DIR if not given", {
    ...DIRECTORY,
    variable: "VENV_DIR",
  }),
  newVenvBase: text("Where they are to be", { ...DIRECTORY, required: true }),
  oldUvCacheDir: text("Where uv's cache is; the configured one, $UV_CACHE_DIR or uv's default if not given", {
    ...DIRECTORY,
    variable: "UV_CACHE_DIR",
  }),
  newUvCacheDir: text("Where it is to be", { ...DIRECTORY, required: true }),
  envs: list("Move only this environment", { flag: "--env", placeholder: "NAME", completion: "environment" }),
  excludeEnvs: list("Leave this environment where it is", {
    flag: "--exclude-env",
    placeholder: "NAME",
    completion: "environment",
  }),
  indexUrl: text("Package index to use instead of PyPI", { placeholder: "URL" }),
  extraIndexUrls: list("Package index to use besides", { flag: "--extra-index-url", placeholder: "URL" }),
  verify: flagOff("Compare the package lists afterwards"),
  continueOnError: flag("Go on with the other environments if one fails"),
  overwriteTargets: flag("Replace environments that are in the new directory already"),
  deleteOld: flag("Remove what was moved from the old directories, and nothing else"),
  deleteOwnFiles: flag("Delete files, too, that no package brought and that are not copied to the new directory"),
  updateConfig: flagOff("Save the new directories in the configuration"),
  allowCopy: flag("Let uv copy files from a cache on another file system"),
  skipCacheCopy: flag("Start with an empty cache in the new directory"),
  dryRun: flag("Show what would be done"),
};

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("venv-migrate-store"),
  status: v.picklist(["migrated", "dry-run", "partial", "failed"]),
  old_venv_base: v.string(),
  new_venv_base: v.string(),
  old_uv_cache_dir: v.nullable(v.string()),
  new_uv_cache_dir: v.string(),
  cache_copy: v.object({
    source: v.nullable(v.string()),
    target: v.string(),
    status: v.picklist(["copied", "skipped", "dry-run", "source-missing"]),
    warnings: v.array(v.string()),
  }),
  environments: v.array(v.object({ name: v.string(), ...REBUILD_ENTRIES })),
  config_updates: v.array(v.object({ field: v.string(), value: v.string() })),
  shell_exports: v.pipe(v.record(v.string(), v.string()), v.description("What to set in start-up files")),
  deleted_old: v.boolean(),
  would_delete: v.pipe(v.array(v.string()), v.description("In a dry run: the directories that a run would delete")),
  deleted: v.pipe(v.array(v.string()), v.description("The directories that were removed")),
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  hints: v.pipe(v.array(v.string()), v.description("The commands that delete what was kept")),
  warnings: v.array(v.string()),
});

type StoreAnswer = Answer & v.InferOutput<typeof answer>;
type Request = RequestOf<typeof fields>;

export default defineCommand({
  name: "venv migrate-store",
  summary: "Move all environments and uv's cache to other directories",
  description:
    "Makes each environment again in the new directory and compares package lists. With an error nothing is removed " +
    "and the configuration stays as it is.",
  examples: [
    {
      command:
        "euler-files venv migrate-store --new-venv-base /cluster/work/me/venvs --new-uv-cache-dir /cluster/work/me/uv",
      does: "All environments, and the cache beside them",
    },
  ],
  fields,
  answer,
  async ask(request, { prompt }) {
    const newVenvBase = request.newVenvBase ?? await prompt.text({ message: "Where should the environments be?" });
    const newUvCacheDir = request.newUvCacheDir ??
      await prompt.text({ message: "Where should uv's cache be? On the same file system uv can link its files" });
    return { ...request, newVenvBase, newUvCacheDir };
  },
  async run(request, context): Promise<StoreAnswer> {
    const { system, report } = context;
    if (request.deleteOld && !request.verify) {
      throw new CliError(
        "usage",
        "Cannot use --delete-old with --no-verify: an error in the new ones would go unnoticed",
      );
    }
    const config = await readConfigIfThere(context.configOption, system);
    const paths = await resolvePaths(request, config, context);
    await checkPaths(paths);
    const deletesCache = request.deleteOld && !request.skipCacheCopy && isCacheDeleted(paths);
    if (deletesCache && config !== undefined) await refuseManagedCache(paths, config, system.env);
    const { moved, left } = await selectVenvs(paths.oldBase, request.envs, request.excludeEnvs);
    const uv = await findUv(system, true);
    if (uv === undefined) throw uvMissing();
    const cache: CacheCopy = request.skipCacheCopy
      ? { status: "skipped", warnings: [] }
      : request.dryRun
      ? { status: "dry-run", warnings: [] }
      : await copyCache(paths, report, system);
    const { environments: moves, errors, failures, safe } = await moveAll(moved, paths, request, uv, context);
    const { answers: environments, end } = request.dryRun
      ? asOneRun(moves, { hasErrors: errors.length > 0, goOn: request.continueOnError })
      : { answers: moves, end: "good" };
    const good = errors.length === 0 && !request.dryRun;
    const updates = config !== undefined && request.updateConfig && errors.length === 0
      ? updatesOf(config, paths, left, context)
      : [];
    const stayed = left.length === 0
      ? []
      : [`${left.join(", ")} stayed in ${paths.oldBase}, so venv_base stays as it is`];
    const unlisted = await findUnlisted(paths.oldBase);
    if (unlisted.length > 0) {
      stayed.push(`not moved, because \`euler-files venv list\` does not show them: ${listSome(unlisted)}`);
    }
    if (request.deleteOld && !deletesCache && ["copied", "dry-run"].includes(cache.status)) {
      stayed.push(...keptCache(paths));
    }
    for (const text of stayed) report({ type: "warning", text });
    if (good && config !== undefined && updates.length > 0) await saveUpdates(config, paths, updates, context);
    const deadline = config?.config.lock_timeout_seconds ?? 300;
    const old = good && request.deleteOld
      ? await removeOld(paths, safe, cache, { ownFiles: ownFilesOf(request), deadline }, system)
      : { removed: [], errors: [], failed: [], hints: [] };
    const allErrors = [...errors, ...old.errors];
    return {
      ok: allErrors.length === 0,
      command: "venv-migrate-store",
      status: request.dryRun
        ? "dry-run"
        : allErrors.length === 0
        ? "migrated"
        : environments.some((one) => one.status === "migrated")
        ? "partial"
        : "failed",
      old_venv_base: paths.oldBase,
      new_venv_base: paths.newBase,
      old_uv_cache_dir: paths.oldCache ?? null,
      new_uv_cache_dir: paths.newCache,
      cache_copy: {
        source: paths.oldCache ?? null,
        target: paths.newCache,
        status: cache.status,
        warnings: [...cache.warnings],
      },
      environments: [...environments],
      config_updates: updates,
      shell_exports: { UV_CACHE_DIR: paths.newCache, VENV_DIR: paths.newBase },
      would_delete: request.dryRun
        ? await wouldDelete(deletesCache && end === "good" ? paths.oldCache : undefined, environments)
        : [],
      deleted_old: old.removed.length > 0 && old.errors.length === 0,
      deleted: old.removed,
      errors: allErrors,
      failures: [...failures, ...old.failed.map(({ path, error }) => failureOf(path, error))],
      hints: old.hints,
      warnings: [...cache.warnings, ...stayed, ...environments.flatMap((one) => one.warnings)],
    };
  },
  render(answer, { stderr: style }) {
    const lines = answer.environments.map((one) =>
      `${one.name}: ${one.status === "dry-run" ? "would be made" : one.status.replace("-", " ")} at ${one.target}\n`
    );
    const errors = answer.errors.map((error) => `${style.bold(style.red("error:"))} ${error}\n`);
    errors.push(
      ...answer.hints.map((hint) =>
        `${style.bold(style.cyan("hint:"))} move away what you need; \`${hint}\` deletes it with these files\n`
      ),
    );
    const removed = [
      ...answer.would_delete.map((path) => `would remove ${path}\n`),
      ...answer.deleted.map((path) => `removed ${path}\n`),
    ];
    const exports = Object.entries(answer.shell_exports).map(([name, value]) =>
      `  export ${commandLine([`${name}=${value}`])}\n`
    );
    const next = answer.ok && answer.status === "migrated" ? ["\nIn ~/.bashrc:\n", ...exports] : [];
    return { stderr: [...lines, ...removed, ...errors, ...next].join("") };
  },
});

async function resolvePaths(
  request: Request,
  config: ConfigFile | undefined,
  { system }: Context,
): Promise<StorePaths> {
  const { env, cwd } = system;
  const needed = (value: string | undefined, label: string) => {
    if (value !== undefined) return resolvePath(value, env, cwd, { label, kind: "usage" });
    throw new CliError("usage", `Missing ${label}`, {
      hint: "euler-files venv migrate-store --new-venv-base DIR --new-uv-cache-dir DIR",
    });
  };
  const [newBase, newCache] = [
    needed(request.newVenvBase, "--new-venv-base"),
    needed(request.newUvCacheDir, "--new-uv-cache-dir"),
  ];
  const configured = resolveUvCache(request.oldUvCacheDir, config, system);
  const fromEnvironment = env.UV_CACHE_DIR
    ? resolvePath(env.UV_CACHE_DIR, env, cwd, { label: "UV_CACHE_DIR", kind: "config" })
    : undefined;
  // A run that was killed after it had saved the new directories is continued: its record knows the old ones.
  const [switchedBase, switchedCache] = [
    switchedFrom("venv_base", newBase, config, env),
    switchedFrom("uv_cache_dir", newCache, config, env),
  ];
  const oldBase = resolveVenvBase({ option: request.oldVenvBase, config }, system);
  const oldCache = configured ?? fromEnvironment ?? await defaultUvCache(system);
  // An earlier run saved the new directory of the cache, and this request names no old one.
  const isInPlace = request.oldUvCacheDir === undefined && switchedCache === undefined && oldCache === newCache;
  const isSwitched = switchedCache !== undefined && resolveUvCache(undefined, config, system) === newCache &&
    (oldCache === newCache || oldCache === switchedCache);
  const named = [configured, fromEnvironment];
  const oldCacheUsed = isSwitched ? switchedCache : isInPlace ? undefined : oldCache;
  // An earlier run recorded the old cache, but not who named it.
  const isGiven = oldCacheUsed !== await defaultUvCache(system) || named.includes(oldCacheUsed);
  return {
    oldBase: oldBase === newBase ? switchedBase ?? oldBase : oldBase,
    newBase,
    oldCache: oldCacheUsed,
    oldCacheName: isGiven ? "given" : "uv's default",
    newCache,
    cacheState: isSwitched ? "switched" : "to copy",
  };
}

/** Where a field led before it was changed to this path, as the record of migrations says. */
function switchedFrom(
  field: string,
  path: AbsolutePath,
  config: ConfigFile | undefined,
  env: Readonly<Record<string, string>>,
): AbsolutePath | undefined {
  const record = config?.config.migrations?.findLast((one) => one.field_name === field && one.new_path === path);
  if (record === undefined || record.old_path === "") return undefined;
  return toAbsolutePath(record.old_path, env, { label: "migrations", kind: "config" });
}

async function moveAll(
  names: readonly string[],
  paths: StorePaths,
  request: Request,
  uv: Uv,
  context: Context,
): Promise<
  { environments: ({ name: string } & RebuildAnswer)[]; errors: string[]; failures: Failure[]; safe: SafeFiles }
> {
  const safe = new Map<string, Rebuilt["safe"]>();
  const environments: ({ name: string } & RebuildAnswer)[] = [];
  const errors: string[] = [];
  const failures: Failure[] = [];
  for (const name of names) {
    context.system.signal.throwIfAborted();
    try {
      const [document, rebuilt] = await moveOne(name, paths, request, uv, context);
      if (rebuilt !== undefined) safe.set(name, rebuilt.safe);
      environments.push({ name, ...document });
      errors.push(...document.errors.map((error) => `${name}: ${error}`));
      failures.push(...differenceFailures(name, document));
    } catch (error) {
      const known = knownError(`Cannot move "${name}"`, error);
      if (known === undefined) throw error;
      failures.push(failureOf(name, known));
      errors.push(...[known.message, ...known.lines].map((line) => `${name}: ${line}`));
    }
    if (errors.length > 0 && !request.continueOnError) break;
  }
  return { environments, errors, failures, safe };
}

/** The environments that are replaced or moved, and the old cache. */
async function wouldDelete(
  cache: AbsolutePath | undefined,
  environments: readonly RebuildAnswer[],
): Promise<string[]> {
  const isThere = cache !== undefined && await isDirectory(cache);
  return [...environments.flatMap(({ would_delete }) => would_delete), ...(isThere ? [cache] : [])];
}

function ownFilesOf(request: Request): "keep" | "delete" {
  return request.deleteOwnFiles ? "delete" : "keep";
}

async function moveOne(
  name: string,
  paths: StorePaths,
  request: Request,
  uv: Uv,
  context: Context,
): Promise<[RebuildAnswer, Rebuilt | undefined]> {
  const { system, report } = context;
  const rebuilding = {
    source: joinPath(paths.oldBase, name),
    target: joinPath(paths.newBase, name),
    python: undefined,
    uvCacheDir: paths.newCache,
    indexUrl: request.indexUrl,
    extraIndexUrls: request.extraIndexUrls,
    verify: request.verify,
    existing: request.overwriteTargets ? "overwrite" : "refuse",
    acrossFileSystems: request.allowCopy ? "copy" : "refuse",
    ownFiles: ownFilesOf(request),
    replacingCommand: commandLine([
      ...[
        "euler-files",
        "venv",
        "migrate-store",
        "--new-venv-base",
        paths.newBase,
        "--new-uv-cache-dir",
        paths.newCache,
      ],
      ...["--env", name, "--overwrite-targets", "--delete-own-files"],
    ]),
    mode: request.dryRun ? "dry-run" : "run",
    lockTimeoutSeconds: 300,
  } as const;
  const plan = await planRebuild(rebuilding, uv, system);
  const hear = (text: string) => report({ type: "output", text });
  const audience = { listener: { terminal: context.sharesTerminal, hear }, report };
  const outcome = request.dryRun ? undefined : await rebuild(plan, rebuilding, uv, audience, system);
  const commands = plan.commands.map((args) => commandLine([uv.program, ...args]));
  const document = describeRebuild(plan, rebuilding, outcome, {
    ...{ commands, deletedSource: false, deleteSource: request.deleteOld },
  });
  for (const text of document.warnings) report({ type: "warning", subject: name, text });
  const kernels = await kernelspecWarnings([rebuilding.source], rebuilding.target, system.env);
  for (const warning of kernels) report({ type: "warning", subject: name, ...warning });
  document.warnings.push(...kernels.map(({ text, hint }) => `${text}; ${hint}`));
  return [document, outcome];
}

/** The base changes only if no environment is left in the old one: `venv list` would no longer show it. */
function updatesOf(
  config: ConfigFile,
  paths: StorePaths,
  left: readonly string[],
  { system }: Context,
): { field: string; value: string }[] {
  const isSaved = {
    cache: resolveUvCache(undefined, config, system) === paths.newCache,
    base: resolveVenvBase({ option: undefined, config }, system) === paths.newBase,
  };
  return [
    ...(isSaved.cache ? [] : [{ field: "uv_cache_dir", value: paths.newCache }]),
    ...(left.length > 0 || isSaved.base ? [] : [{ field: "apptainer.venv_base", value: paths.newBase }]),
  ];
}

async function saveUpdates(
  config: ConfigFile,
  paths: StorePaths,
  updates: readonly { field: string; value: string }[],
  { system }: Context,
): Promise<void> {
  const edits: ConfigEdit[] = updates.map(({ field, value }) => ({ path: field.split("."), value }));
  // The record of what moved; a cache that did not exist has not.
  for (const { field, value } of updates) {
    const name = field.split(".").at(-1)!;
    const old = name === "venv_base" ? paths.oldBase : paths.oldCache;
    if (old === undefined) continue;
    const entry = { old_path: old, new_path: value, migrated_at: system.now() / 1000, field_name: name };
    edits.push({ path: ["migrations", -1], value: entry });
  }
  await editConfig(config.path, edits, system);
}
