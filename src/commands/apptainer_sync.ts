// `euler-files apptainer sync`: images from the store to scratch.
import * as v from "valibot";
import { type Answer, defineCommand } from "../contract/command.ts";
import { type ImageResult, syncImage } from "../apptainer/image_sync.ts";
import { syncImageToNode } from "../apptainer/node_image.ts";
import { loadSetting, selectImages } from "../apptainer/setting.ts";
import { knownError } from "../errors/errors.ts";
import { type Failure, FAILURE_SCHEMA, failureOf, failuresText } from "../runs/failures.ts";
import { TIERS } from "../config/tier.ts";
import { choice, flag, list } from "../contract/fields.ts";
import { formatDuration, formatSize } from "../text/format.ts";
import { pooledMap } from "../system/pool.ts";

const fields = {
  images: list("Sync only this image, even if it is disabled", {
    flag: "--image",
    placeholder: "NAME",
    completion: "image",
    aliases: ["only_images"],
  }),
  to: choice(TIERS, "Copy to scratch, or by way of scratch to the disk of this node", {
    placeholder: "TIER",
  }),
  force: flag("Copy even what is fresh"),
  dryRun: flag("Show what would be copied"),
};

const result = v.object({
  name: v.string(),
  source: v.string(),
  target: v.string(),
  status: v.picklist(["synced", "skipped", "dry-run"]),
  bytes_transferred: v.number(),
  bytes_resumed: v.pipe(v.number(), v.description("How much was there from an earlier, interrupted sync")),
});

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("apptainer-sync"),
  dry_run: v.boolean(),
  force: v.boolean(),
  only_images: v.array(v.string()),
  results: v.array(result),
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
    { command: "euler-files apptainer sync", does: "All enabled images that aren't fresh on scratch" },
    { command: "srun euler-files apptainer sync --to node", does: "On the disk of each node of the step" },
    { command: "euler-files apptainer sync --image my-ml-env --force", does: "One image, in any case" },
  ],
  fields,
  answer,
  async run(request, { system, configOption, report }): Promise<SyncAnswer> {
    const setting = await loadSetting(configOption, system);
    const names = selectImages(setting.section, request.images);
    if (names.length === 0) report({ type: "note", text: "no image is enabled, so there is nothing to sync" });
    const mode = request.dryRun ? "dry-run" : request.force ? "force" : "if-needed";
    const items = await pooledMap(names, setting.config.parallel_jobs, async (name) => {
      const started = system.now();
      try {
        const synced = request.to === "node"
          ? await syncImageToNode(setting, { name, mode }, report, system)
          : await syncImage(setting, { name, mode }, report, system);
        report({ type: "done", subject: name, ...describe(synced, (system.now() - started) / 1000) });
        return { result: resultOf(name, synced) };
      } catch (error) {
        const known = knownError(`Cannot sync the image "${name}"`, error);
        if (known === undefined) throw error;
        report({ type: "done", subject: name, outcome: "bad", text: known.message });
        return { failure: failureOf(name, known) };
      }
    });
    const failures = items.flatMap((item): Failure[] => "failure" in item && item.failure ? [item.failure] : []);
    return {
      ok: failures.length === 0,
      command: "apptainer-sync",
      dry_run: request.dryRun,
      force: request.force,
      only_images: [...request.images],
      results: items.flatMap((item) => "result" in item && item.result ? [item.result] : []),
      errors: failures.map(({ name, message }) => `${name}: ${message}`),
      failures,
    };
  },
  render(answer, { stderr: style }) {
    return { stderr: failuresText(answer.failures, style) };
  },
});

function resultOf(name: string, { status, facts, bytes, resumedBytes }: ImageResult): v.InferOutput<typeof result> {
  return {
    name,
    source: facts.places.sif,
    target: facts.scratch.target,
    status,
    bytes_transferred: status === "synced" ? bytes - resumedBytes : 0,
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
