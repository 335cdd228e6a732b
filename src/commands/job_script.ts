// `job-script`: prints a commented Slurm script to start from.
import * as v from "valibot";
import { TIERS } from "../config/tier.ts";
import { defineCommand } from "../contract/command.ts";
import { choice, type Field, flag, list, words } from "../contract/fields.ts";
import { shellWord } from "../text/format.ts";
import { commandLine } from "../shell/quote.ts";
import { jobScript } from "../slurm/job_script.ts";

const WHOLE_NUMBER = "must be a whole number of 1 or more";

const nodes: Field<number> = {
  schema: v.union([
    v.pipe(v.string(), v.regex(/^[1-9]\d{0,5}$/, WHOLE_NUMBER), v.transform(Number)),
    v.pipe(v.number(), v.integer(WHOLE_NUMBER), v.minValue(1, WHOLE_NUMBER)),
  ], WHOLE_NUMBER),
  shape: "text",
  placement: "option",
  help: "How many nodes the job has",
  default: 1,
  placeholder: "N",
};

const FIELDS = {
  nodes,
  vars: list("Stage only this variable", {
    flag: "--var",
    placeholder: "NAME",
    completion: "variable",
  }),
  to: choice(
    TIERS,
    "Stage to scratch, or by way of scratch to the disk of each node, regardless of the configuration",
    {
      placeholder: "TIER",
    },
  ),
  push: flag("Push what changed when the command has ended"),
  program: words("The command of the job, python train.py without one; put -- before it", {
    placement: "argument",
    placeholder: "COMMAND",
  }),
};

const ANSWER_SCHEMA = v.object({
  command: v.literal("job-script"),
  ok: v.boolean(),
  script: v.string(),
});

/** Prints the script; reads no configuration. */
export const jobScriptCommand = defineCommand({
  name: "job-script",
  summary: "Print a commented Slurm script that stages, runs and pushes",
  description: "It runs the command with `exec`. Change the lines that begin with #SBATCH to what the job needs.",
  examples: [
    { command: "euler-files job-script > job.sh && sbatch job.sh", does: "With the defaults; edit it first" },
    {
      command: "euler-files job-script --nodes 4 --to node --push -- python train.py --epochs 3 > job.sh",
      does: "Copies on the disks of four nodes, and what changed there is pushed",
    },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run(request, { system }) {
    const script = jobScript({
      executable: shellWord(system.executable),
      nodes: request.nodes,
      to: request.to,
      push: request.push ? "at the end" : "never",
      vars: request.vars.map(shellWord),
      command: request.program.length === 0 ? "python train.py" : commandLine(request.program),
    });
    return Promise.resolve({ command: "job-script", ok: true, script });
  },
  render: ({ script }) => ({ stdout: script }),
});
