// The answer about a reinstalled environment: one shape for `venv migrate` and each environment of `migrate-store`.
import * as v from "valibot";
import { countOf } from "../contract/answer_fields.ts";
import { withoutCredentials } from "../text/format.ts";
import type { CliError } from "../errors/errors.ts";
import { deletingCommand } from "./carry.ts";
import { hasOwnFiles, ownPaths } from "./own_files.ts";
import { countOwnFiles, nameOwnFiles } from "./own_files_text.ts";
import { isReplacingRefused, type RebuildPlan, type RebuildRequest, type Rebuilt } from "./rebuild.ts";

/** One environment's part of an answer. */
export const REBUILD_ENTRIES = {
  status: v.picklist(["migrated", "dry-run", "verification-failed"]),
  source: v.string(),
  target: v.string(),
  python_version_detected: v.string(),
  python_version_candidates: v.pipe(v.array(v.string()), v.description("Tried one after the other")),
  python_version_used: v.nullable(v.string()),
  requirements_count: countOf("Packages that are installed"),
  commands: v.pipe(v.array(v.string()), v.description("The uv commands, quoted for a shell")),
  index_url: v.nullable(v.string()),
  extra_index_urls: v.array(v.string()),
  uv_cache_dir: v.nullable(v.string()),
  verification: v.object({
    enabled: v.boolean(),
    status: v.picklist(["matched", "mismatch", "planned", "skipped"]),
    missing: v.array(v.string()),
    extra: v.array(v.string()),
  }),
  deleted_source: v.boolean(),
  would_delete: v.pipe(v.array(v.string()), v.description("In a dry run: the environments that a run would delete")),
  own_files: v.pipe(
    v.object({ carried: v.array(v.string()), kept: v.array(v.string()), replaced: v.array(v.string()) }),
    v.description(
      "Files that no package brought, or that were changed since: copied to the target; only at the source, which they keep " +
        "from being deleted; in the environment that is replaced",
    ),
  ),
  hint: v.optional(v.pipe(v.string(), v.description("The command that deletes what was kept"))),
  errors: v.array(v.string()),
  warnings: v.array(v.string()),
};

const SCHEMA = v.object(REBUILD_ENTRIES);

/** See {@linkcode REBUILD_ENTRIES}. */
export type RebuildAnswer = v.InferOutput<typeof SCHEMA>;

/** Describes a plan, and its outcome if it was executed. Pure. */
export function describeRebuild(
  plan: RebuildPlan,
  request: RebuildRequest,
  outcome: Pick<Rebuilt, "python" | "parity"> | undefined,
  more: {
    readonly commands: readonly string[];
    readonly deletedSource: boolean;
    /** Whether a run deletes the source, if nothing in it keeps it. */
    readonly deleteSource: boolean;
    readonly refusal?: CliError | undefined;
  },
): RebuildAnswer {
  const planned = { status: request.verify ? "planned" as const : "skipped" as const, missing: [], extra: [] };
  const parity = outcome?.parity ?? planned;
  return {
    status: outcome === undefined ? "dry-run" : parity.status === "mismatch" ? "verification-failed" : "migrated",
    source: request.source,
    target: request.target,
    python_version_detected: plan.source.pythonVersion,
    python_version_candidates: [...plan.pythons],
    python_version_used: outcome?.python ?? null,
    requirements_count: plan.requirements.length,
    commands: more.commands.map(withoutCredentials),
    index_url: request.indexUrl === undefined ? null : withoutCredentials(request.indexUrl),
    extra_index_urls: request.extraIndexUrls.map(withoutCredentials),
    uv_cache_dir: request.uvCacheDir ?? null,
    verification: {
      enabled: request.verify,
      status: parity.status,
      missing: parity.missing.map(withoutCredentials),
      extra: parity.extra.map(withoutCredentials),
    },
    deleted_source: more.deletedSource,
    would_delete: outcome === undefined ? wouldDelete(plan, request, more.deleteSource) : [],
    own_files: {
      carried: [...plan.carriage.carried],
      kept: [...plan.carriage.kept],
      replaced: plan.replaced === undefined ? [] : ownPaths(plan.replaced),
    },
    ...(more.refusal === undefined ? {} : { hint: deletingCommand(request.source) }),
    errors: [
      ...(more.refusal === undefined ? [] : [more.refusal.message, ...more.refusal.lines]),
      ...parity.missing.map((line) => `${withoutCredentials(line)} is missing in the target`),
      ...parity.extra.map((line) => `${withoutCredentials(line)} is in the target only`),
    ],
    warnings: [
      ...plan.editable.map((line) =>
        `${withoutCredentials(line)} is installed as a link to its source, and will be again`
      ),
      ...ownFilesWarnings(plan, request),
    ],
  };
}

function wouldDelete({ replaced, carriage }: RebuildPlan, request: RebuildRequest, deleteSource: boolean): string[] {
  // A run that is refused deletes nothing.
  if (replaced !== undefined && isReplacingRefused(request, replaced)) return [];
  return [
    ...(replaced === undefined ? [] : [request.target]),
    ...(deleteSource && (request.ownFiles === "delete" || carriage.kept.length === 0) ? [request.source] : []),
  ];
}

/**
 * The answers of a dry run about several environments, corrected for a run that goes through them one after the other: after one
 * that it refuses it makes no others unless `goOn`, and with an error it deletes no source. Pure.
 */
export function asOneRun<One extends RebuildAnswer>(
  answers: readonly One[],
  { hasErrors, goOn }: { readonly hasErrors: boolean; readonly goOn: boolean },
): { readonly answers: readonly One[]; readonly end: "good" | "with errors" } {
  const isRefused = ({ target, own_files, would_delete }: One) =>
    own_files.replaced.length > 0 && !would_delete.includes(target);
  const refused = answers.findIndex(isRefused);
  if (!hasErrors && refused === -1) return { answers, end: "good" };
  const reached = refused === -1 || goOn ? answers.length : refused;
  const corrected = answers.map((answer, index) => ({
    ...answer,
    would_delete: answer.would_delete.filter((path) => index < reached && path === answer.target),
  }));
  return { answers: corrected, end: "with errors" };
}

function ownFilesWarnings({ own, carriage, replaced }: RebuildPlan, request: RebuildRequest): string[] {
  const kept = new Set(carriage.kept);
  const carried = nameOwnFiles({ ...own, added: carriage.carried, changed: [], unreadable: [] });
  const stay = nameOwnFiles({ ...own, added: own.added.filter((path) => kept.has(path)) });
  const verb = request.mode === "run" ? "were" : "will be";
  return [
    ...(carried.length === 0
      ? []
      : [`files that no package brought ${verb} copied to the target: ${carried.join(", ")}`]),
    ...(stay.length === 0 ? [] : [`only "${request.source}" has these files: ${stay.join(", ")}`]),
    ...(replaced === undefined || !hasOwnFiles(replaced) ? [] : [
      `"${request.target}" ${request.mode === "run" ? "had" : "has"} ${countOwnFiles(replaced)}, ` +
      `${
        request.ownFiles === "delete" ? `which ${verb} deleted with it` : "and only --delete-own-files replaces it"
      }: ` +
      nameOwnFiles(replaced).join(", "),
    ]),
  ];
}
