// `push`: copies what changed on scratch back to persistent storage.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { TIERS } from "../config/tier.ts";
import { failuresText } from "../runs/failures.ts";
import { filterField } from "../runs/filter_field.ts";
import { choice, flag, list, type RequestOf } from "../contract/fields.ts";
import { PUSHED_FIELDS, pushVariables } from "../runs/push_run.ts";
import { ENGINES } from "../variables/variable.ts";

const FIELDS = {
  vars: list("Push only this variable, even if it is disabled", {
    flag: "--var",
    placeholder: "NAME",
    argument: "VARIABLE",
    completion: "variable",
    aliases: ["only_vars"],
  }),
  dryRun: flag("Show what would be pushed and change nothing"),
  from: choice(
    TIERS,
    "Push from scratch, or from the disk of this node by way of scratch, regardless of the configuration",
    {
      placeholder: "TIER",
    },
  ),
  force: flag(
    "Push all that is on scratch, although the source looks unmounted: it held files and is empty or missing, or is " +
      "another directory without half of its names",
  ),
  checksum: flag("Compare what is in the files, even where their size and time are the same"),
  filter: filterField("push"),
  engine: choice(ENGINES, "Copy with rsync or natively, regardless of the configuration", { placeholder: "ENGINE" }),
  verbose: flag("Name each file that is pushed", { short: "-v" }),
};

type PushCommandRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  command: v.literal("push"),
  ok: v.boolean(),
  dry_run: v.boolean(),
  checksum: v.boolean(),
  only_vars: v.array(v.string()),
  filter: v.pipe(v.array(v.string()), v.description("The rules of this run, in their order")),
  ...PUSHED_FIELDS,
});

type PushAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Pushes the selected variables. */
export const push = defineCommand({
  name: "push",
  summary: "Push what changed on scratch to the persistent source",
  description: "Nothing is ever deleted at the source. A file that changed there as well is kept and named, and the " +
    "exit code is 1.",
  examples: [
    { command: "euler-files push", does: "After a job: push what it downloaded" },
    { command: "euler-files push --dry-run", does: "What would be pushed" },
    { command: "euler-files push --exclude '*.ckpt'", does: "All but checkpoints" },
    { command: "euler-files push HF_HOME", does: "One variable only" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run: runPush,
  render: renderPush,
});

async function runPush(request: PushCommandRequest, context: Context): Promise<PushAnswer> {
  const pushed = await pushVariables(request, context);
  return {
    command: "push",
    ok: pushed.failures.length === 0,
    dry_run: request.dryRun,
    checksum: request.checksum,
    only_vars: [...request.vars],
    filter: [...request.filter],
    ...pushed,
  };
}

function renderPush(answer: PushAnswer, styles: Styles): Rendered {
  return { stderr: failuresText(answer.failures, styles.stderr) };
}
