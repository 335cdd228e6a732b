// `euler-files apptainer sync`: images from the store to scratch.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { checksumsOnScratch, copyImageToNode, syncImageToNode } from "../apptainer/node_image.ts";
import { TIERS } from "../config/tier.ts";
import { type ImageResult, scratchPathsOf, syncImage } from "../apptainer/image_sync.ts";
import { imagePathsOf, type ImageSetting, loadSetting, scratchSifDir, selectImages } from "../apptainer/setting.ts";
import { knownError } from "../errors/errors.ts";
import { bytesOf, COUNT, roundSeconds, secondsOf } from "../contract/answer_fields.ts";
import { type Failure, FAILURE_SCHEMA, failureOf, failuresText, RESULT_ERROR } from "../runs/failures.ts";
import { summarize, SUMMARY_SCHEMA } from "../runs/summary.ts";
import { choice, flag, list, object } from "../contract/fields.ts";
import { formatDuration, formatSize } from "../text/format.ts";
import { copyImagesToNodes, type ImageOnNodes } from "../runs/image_fan_out.ts";
import { findJob } from "../slurm/job.ts";
import { pooledMap } from "../system/pool.ts";
import type { System } from "../system/system.ts";

const fields = {
  images: list("Sync only this image, even if it is disabled", {
    flag: "--image",
    placeholder: "NAME",
    completion: "image",
    aliases: ["only_images"],
  }),
  to: choice(TIERS, "Copy to scratch, or by way of scratch to the disk of this node, or of all nodes of the job", {
    placeholder: "TIER",
  }),
  force: flag("Copy even what is fresh"),
  dryRun: flag("Show what would be copied"),
  leg: choice(["scratch-to-node"], "Take what is on scratch as it is; for the nodes of a job, which are asked for it", {
    placement: "json-only",
  }),
  scratchImages: object(
    v.record(v.string(), v.string()),
    "The checksums of the copies on scratch, by image: a node that sees other copies fails",
  ),
};

const result = v.object({
  name: v.string(),
  source: v.string(),
  target: v.string(),
  status: v.pipe(
    v.picklist(["synced", "skipped", "dry-run", "source-missing", "failed"]),
    v.description("`failed` and `source-missing` have an `error`"),
  ),
  error: RESULT_ERROR,
  nodes: v.optional(v.pipe(COUNT, v.description("How many nodes of the job have it, if it was copied to all of them"))),
  bytes_transferred: bytesOf("What was copied"),
  bytes_to_transfer: v.optional(bytesOf("In a dry run: what would be copied")),
  bytes_resumed: bytesOf("What was there from an earlier, interrupted sync"),
  seconds: v.optional(secondsOf("How long it took")),
});

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("apptainer-sync"),
  dry_run: v.boolean(),
  force: v.boolean(),
  only_images: v.array(v.string()),
  results: v.array(v.pipe(result, v.title("ImageResult"))),
  summary: SUMMARY_SCHEMA,
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
});

type SyncAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "apptainer sync",
  summary: "Copy images to scratch",
  description:
    "An interrupted copy is continued; the image gets its name on scratch when it is whole and its checksum is right.",
  examples: [
    { command: "euler-files apptainer sync", does: "All enabled images that are not fresh on scratch" },
    { command: "euler-files apptainer sync --to node", does: "In the script of a job: on the disks of all its nodes" },
    { command: "euler-files apptainer sync --image my-ml-env --force", does: "One image, in any case" },
  ],
  fields,
  answer,
  async run(request, context): Promise<SyncAnswer> {
    const { system, configOption, report } = context;
    const setting = await loadSetting(configOption, system);
    const names = selectImages(setting.section, request.images);
    if (names.length === 0) report({ type: "note", text: "no image is enabled, so there is nothing to sync" });
    const mode = request.dryRun ? "dry-run" : request.force ? "force" : "if-needed";
    const job = request.to === "node" && !request.dryRun ? findJob(system.env) : undefined;
    const sync = request.to !== "node" || job !== undefined
      ? syncImage
      : request.leg === undefined
      ? syncImageToNode
      : copyOfJob(request.scratchImages);
    const started = performance.now();
    const copied = await pooledMap(names, setting.config.parallel_jobs, async (name) => {
      const started = performance.now();
      try {
        const synced = await sync(setting, { name, mode }, report, system);
        const seconds = (performance.now() - started) / 1000;
        report({ type: "done", subject: name, ...describe(synced, seconds) });
        return resultOf(name, synced, seconds);
      } catch (error) {
        const known = knownError(`Cannot sync the image "${name}"`, error);
        if (known === undefined) throw error;
        report({ type: "done", subject: name, outcome: "bad", text: known.message });
        return failedResult(setting, failureOf(name, known), system.env);
      }
    });
    const results = job === undefined
      ? copied
      : await copyToNodes(copied, setting, { job, force: request.force }, context);
    const failures = results.flatMap(({ error }) => error ?? []);
    const seconds = request.dryRun ? undefined : (performance.now() - started) / 1000;
    return {
      ok: failures.length === 0,
      command: "apptainer-sync",
      dry_run: request.dryRun,
      force: request.force,
      only_images: [...request.images],
      results,
      summary: summarize(results.map(asSummand), failures.length, seconds),
      errors: failures.map(({ name, message }) => `${name}: ${message}`),
      failures,
    };
  },
  render(answer, { stderr: style }) {
    return { stderr: failuresText(answer.failures, style) };
  },
});

type Result = v.InferOutput<typeof result>;

/** Copies the images that are on scratch now to all nodes of the job, and reports each once more. */
async function copyToNodes(
  onScratch: readonly Result[],
  setting: ImageSetting,
  how: Omit<Parameters<typeof copyImagesToNodes>[1], "checksums">,
  context: Context,
): Promise<Result[]> {
  const ready = onScratch.filter(({ error }) => error === undefined).map(({ name }) => name);
  const checksums = await checksumsOnScratch(setting, ready, context.system.env);
  const started = performance.now();
  const onNodes = await copyImagesToNodes(ready, { ...how, checksums }, context);
  const seconds = (performance.now() - started) / 1000;
  return onScratch.map((result) => {
    const copied = onNodes.find(({ name }) => name === result.name);
    if (copied === undefined) return result;
    context.report({ type: "done", subject: result.name, ...describeNodes(copied, seconds) });
    const { failure, nodes, sizeBytes, target = result.target } = copied;
    return {
      ...result,
      ...{ target, nodes, bytes_transferred: result.bytes_transferred + sizeBytes },
      ...{ seconds: roundSeconds((result.seconds ?? 0) + seconds) },
      ...(failure === undefined
        ? { status: sizeBytes > 0 ? "synced" as const : result.status }
        : { status: "failed" as const, error: failureOf(result.name, failure) }),
    };
  });
}

/** Copies what this node sees on scratch, if those are the copies that the script of the job sees. */
function copyOfJob(checksums: Readonly<Record<string, string>> = {}): typeof syncImage {
  return (setting, { name, mode }, report, system) =>
    copyImageToNode(setting, { name, mode, sha256: checksums[name] }, report, system);
}

function describeNodes({ nodes, sizeBytes, failure }: ImageOnNodes, seconds: number) {
  if (failure !== undefined) return { outcome: "bad" as const, text: "not copied to all nodes" };
  if (sizeBytes === 0) return { outcome: "idle" as const, text: `on ${nodes} nodes: fresh` };
  return {
    outcome: "good" as const,
    text: `on ${nodes} nodes: ${formatSize(sizeBytes)} in ${formatDuration(seconds)}`,
  };
}

/** The result of an image that could not be copied; its directories are those of the configuration. */
function failedResult(setting: ImageSetting, error: Failure, env: System["env"]): Result {
  const paths = imagePathsOf(setting, error.name);
  return {
    name: error.name,
    source: paths.sif,
    target: scratchPathsOf(scratchSifDir(setting, env), paths).target,
    status: error.kind === "not-found" ? "source-missing" : "failed",
    error,
    bytes_transferred: 0,
    bytes_resumed: 0,
  };
}

/** An image is one file. */
function asSummand({ status, bytes_transferred, bytes_to_transfer = 0 }: Result) {
  const copied = status === "synced" || status === "dry-run" ? 1 : 0;
  return { status, files_transferred: copied, bytes_transferred: bytes_transferred + bytes_to_transfer };
}

function resultOf(name: string, { status, facts, bytes, resumedBytes }: ImageResult, seconds: number): Result {
  return {
    name,
    source: facts.paths.sif,
    target: facts.scratch.target,
    status,
    bytes_transferred: status === "synced" ? bytes - resumedBytes : 0,
    ...(status === "dry-run" ? { bytes_to_transfer: bytes } : { seconds: roundSeconds(seconds) }),
    bytes_resumed: resumedBytes,
  };
}

function describe({ status, bytes, resumedBytes, facts }: ImageResult, seconds: number) {
  if (status === "skipped") return { outcome: "idle" as const, text: "fresh" };
  if (status === "dry-run") return { outcome: "idle" as const, text: `would copy ${formatSize(bytes)}` };
  const resumed = resumedBytes === 0 ? "" : `, ${formatSize(resumedBytes)} were there already`;
  return {
    outcome: "good" as const,
    text: `${formatSize(bytes)} in ${formatDuration(seconds)}${resumed} → ${facts.scratch.target}`,
  };
}
