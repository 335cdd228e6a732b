// Checks the programs that some commands start, and what images need of the machine.
import { CliError, messageOf } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import { findJob } from "../slurm/job.ts";
import { apptainerMissing } from "../tools/apptainer.ts";
import { canMakeUserNamespace, probeProgram } from "../tools/probe.ts";
import { uvMissing } from "../tools/uv.ts";
import type { CheckContext, Finding, Look } from "./check.ts";

/** The checks, in the order of the answer. */
export const PROGRAM_LOOKS: readonly Look[] = [
  { name: "rsync", run: lookAtRsync },
  { name: "uv", run: (context) => lookAtProgram("uv", ["uv"], uvMissing(), context) },
  {
    name: "apptainer",
    run: (context) => lookAtProgram("apptainer", ["apptainer", "singularity"], apptainerMissing(), context),
  },
  { name: "user namespaces", run: lookAtUserNamespaces },
  { name: "subuid", run: lookAtSubuid },
  { name: "fuse", run: lookAtFuse },
  { name: "slurm", run: lookAtSlurm },
];

/** A missing requirement of images. If no images are configured, it is not a warning. */
function missingForImages(finding: Omit<Finding, "state">, { config }: CheckContext): Finding {
  if (config?.apptainer !== undefined) return { ...finding, state: "warning" };
  return { name: finding.name, text: `${finding.text}; only images need it`, state: "ok" };
}

async function lookAtRsync({ config, system }: CheckContext): Promise<Finding[]> {
  const found = await probeProgram(["rsync"], system);
  if (found !== undefined) return [versionFinding("rsync", found)];
  if (config?.engine !== "rsync") {
    return [{ name: "rsync", state: "ok", text: "not found; only the engine rsync needs it" }];
  }
  const text = 'not found, and "engine" asks for it';
  return [{ name: "rsync", state: "error", text, hint: "`euler-files config set engine native`, or load its module" }];
}

async function lookAtProgram(
  name: string,
  programs: readonly string[],
  { hint = "" }: CliError,
  context: CheckContext,
): Promise<Finding[]> {
  const found = await probeProgram(programs, context.system);
  if (found !== undefined) return [versionFinding(name, found)];
  const text = `not found; only \`euler-files ${name === "uv" ? "venv" : "apptainer"}\` needs it`;
  return [{ name, state: context.config?.apptainer === undefined ? "ok" : "warning", text, hint }];
}

function versionFinding(
  name: string,
  { program, version }: { readonly program: string; readonly version: string | undefined },
): Finding {
  if (version !== undefined) return { name, state: "ok", text: `${version} (${program})` };
  const text = `${program} does not tell its version`;
  return { name, state: "warning", text, hint: `${shellWord(program)} --version` };
}

async function lookAtUserNamespaces(context: CheckContext): Promise<Finding[]> {
  const name = "user namespaces";
  const can = await canMakeUserNamespace(context.system);
  if (can === undefined) return [{ name, state: "ok", text: "not tried: unshare is not found" }];
  if (can) return [{ name, state: "ok", text: "can be made" }];
  const hint = "`euler-files apptainer build` on another node, or ask the site";
  return [missingForImages({ name, text: "cannot be made here, so images cannot be built", hint }, context)];
}

async function lookAtSubuid(context: CheckContext): Promise<Finding[]> {
  const name = "subuid";
  const { userId, env } = context.system;
  const owners = [String(userId), env.USER, env.LOGNAME].filter((owner) => owner !== undefined && owner !== "");
  const files = await Promise.all(
    ["/etc/subuid", "/etc/subgid"].map((file) => Deno.readTextFile(file).catch(() => "")),
  );
  if (files.every((text) => text.split("\n").some((line) => owners.includes(line.split(":")[0]!)))) {
    return [{ name, state: "ok", text: "/etc/subuid and /etc/subgid have this user" }];
  }
  const hint = "images are built with a single user then; where that fails, ask the site for a range";
  return [
    missingForImages({ name, text: "no range for this user in /etc/subuid and /etc/subgid", hint }, context),
  ];
}

async function lookAtFuse(context: CheckContext): Promise<Finding[]> {
  const name = "fuse";
  try {
    (await Deno.open("/dev/fuse", { read: true, write: true })).close();
    return [{ name, state: "ok", text: "/dev/fuse can be opened" }];
  } catch (error) {
    const text = `/dev/fuse cannot be opened (${messageOf(error)}), so images are unpacked at each start`;
    return [missingForImages({ name, text, hint: "ask the site for FUSE" }, context)];
  }
}

async function lookAtSlurm({ system }: CheckContext): Promise<Finding[]> {
  const found = await probeProgram(["srun"], system);
  if (found === undefined) return [{ name: "slurm", state: "ok", text: "srun is not found: no Slurm here" }];
  const job = findJob(system.env);
  const where = system.env.SLURM_JOB_ID
    ? `in job ${system.env.SLURM_JOB_ID}${job === undefined ? "" : ", in the script of several nodes"}`
    : "not in a job";
  return [{ name: "slurm", state: "ok", text: `${found.version ?? "version unknown"} (${found.program}), ${where}` }];
}
