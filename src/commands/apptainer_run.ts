// `euler-files apptainer run|exec|shell`: starts something in an image on scratch, with the caches that are staged there.
import * as v from "valibot";
import { COUNT } from "../contract/answer_fields.ts";
import { type Answer, type Command, type Context, defineCommand } from "../contract/command.ts";
import { bringImage, variablesFor, warnIfOutdated } from "../apptainer/bring_image.ts";
import { findGpu, planContainer } from "../apptainer/container.ts";
import { mountPack, withPack } from "../apptainer/run_pack.ts";
import { type ImageSetting, loadSetting, recordOf, selectImages } from "../apptainer/setting.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { TIERS } from "../config/tier.ts";
import { choice, flag, list, text, words } from "../contract/fields.ts";
import { catchEarlySignals, earlySignalText } from "../system/early_signals.ts";
import { commandLine } from "../shell/quote.ts";
import { apptainerMissing, enterContainer, findApptainer } from "../tools/apptainer.ts";

const fields = {
  name: text("The image", { placement: "argument", placeholder: "NAME", completion: "image" }),
  args: words("What to start in it; options after its first word are its own", {
    placeholder: "ARGS",
    takesRest: true,
  }),
  binds: list("Give the container this directory too, as apptainer's --bind takes it", {
    flag: "--bind",
    short: "-B",
    placeholder: "PATH",
  }),
  to: choice(TIERS, "Use the image and the caches on scratch, or those on the disk of this node", {
    placeholder: "TIER",
  }),
  nv: flag("Give the container the NVIDIA GPU, also where none was found"),
  rocm: flag("Give the container the AMD GPU, also where none was found"),
  cleanenv: flag("Start with the image's own environment variables, and the staged ones", { short: "-e" }),
  runArgs: list("An option for apptainer itself: --run-arg=--writable-tmpfs", {
    flag: "--run-arg",
    placeholder: "OPTION",
  }),
  dryRun: flag("Show the command without starting it"),
};

const VERBS = ["run", "exec", "shell"] as const;
type Verb = typeof VERBS[number];

function answerOf<const V extends Verb>(verb: V) {
  return v.object({
    ok: v.boolean(),
    command: v.literal(`apptainer-${verb}` as const),
    image_name: v.string(),
    image: v.pipe(v.string(), v.description("The file that is used")),
    synced: v.pipe(v.boolean(), v.description("Whether the image had to be copied to scratch first")),
    gpu: v.picklist(["nvidia", "amd", "none"]),
    exports: v.pipe(
      v.record(v.string(), v.string()),
      v.description("The managed variables as the container sees them"),
    ),
    container_command: v.array(v.string()),
    exit_code: v.optional(v.pipe(COUNT, v.description("What the program ended with; so does this command"))),
    dry_run: v.boolean(),
  });
}

type RunAnswer = Answer & v.InferOutput<ReturnType<typeof answerOf<Verb>>>;

const SUMMARIES: Readonly<Record<Verb, string>> = {
  run: "Run a script with the Python of an image",
  exec: "Run any program in an image",
  shell: "Open a shell in an image",
};

const EXAMPLES: Readonly<Record<Verb, { command: string; does: string }[]>> = {
  run: [{
    command: "euler-files apptainer run my-ml-env -- train.py --model bert-large",
    does: "python train.py …, inside",
  }],
  exec: [{ command: "euler-files apptainer exec my-ml-env -- pip list", does: "Any program of the environment" }],
  shell: [{ command: "euler-files apptainer shell my-ml-env", does: "Look around inside" }],
};

function containerCommand(verb: Verb): Command<typeof fields, RunAnswer> {
  return defineCommand({
    name: `apptainer ${verb}`,
    summary: SUMMARIES[verb],
    description:
      "The image is copied to scratch first if scratch does not have it. On a node with a GPU the container gets it (--nv). The " +
      "variables that are staged on scratch are set in it, and their directories bound. Ends with the program's exit code.",
    examples: EXAMPLES[verb],
    fields,
    answer: answerOf(verb),
    async ask(request, { system, configOption, prompt }) {
      if (request.name !== undefined) return request;
      const { section } = await loadSetting(configOption, system);
      const names = Object.keys(section.images);
      if (names.length === 0) return request;
      const options = names.map((name) => ({
        value: name,
        label: name,
        hint: `Python ${section.images[name]?.python_version}`,
      }));
      return { ...request, name: await prompt.select({ message: "Which image?", options }) };
    },
    async run(request, context): Promise<RunAnswer> {
      const { system } = context;
      const setting = await loadSetting(context.configOption, system);
      const [name] = request.name === undefined ? [] : selectImages(setting.section, [request.name]);
      if (name === undefined) throw missing("the image", `euler-files apptainer ${verb} NAME`);
      if (verb === "exec" && request.args.length === 0) {
        throw missing("the program", `euler-files apptainer exec ${name} -- PROGRAM`);
      }
      const apptainer = findApptainer(system.env);
      if (apptainer === undefined && !request.dryRun) throw apptainerMissing();
      using _early = catchEarlySignals(
        system,
        (signal) => context.report({ type: "warning", subject: name, text: earlySignalText(signal) }),
      );
      await warnIfOutdated(setting, name, context.report, system);
      const { image, synced } = await bringImage(setting, request, name, context.report, system);
      const asked = {
        ...{ verb, image, args: request.args, gpu: request.nv ? "nvidia" : request.rocm ? "amd" : await findGpu() },
        binds: [...await scratchBinds(setting, system), ...request.binds],
        options: [...setting.section.run_args, ...(request.cleanenv ? ["--cleanenv"] : []), ...request.runArgs],
      } as const;
      const record = recordOf(setting.section, name);
      await using mount = record?.kind === "pack"
        ? await mountPack(image, request.dryRun ? undefined : apptainer, setting, context.report, system)
        : undefined;
      const started = record?.kind === "pack" && mount !== undefined
        ? await withPack(asked, name, setting, mount, system)
        : { request: asked, variables: {} };
      const command = planContainer(
        apptainer ?? { program: "apptainer", name: "apptainer" },
        started.request,
        await variablesFor(setting, request.to, system),
        started.variables,
      );
      const exitCode = request.dryRun
        ? undefined
        : await enterContainer(command, context.wantsDocument ? "stderr" : "stdout", system);
      return {
        ok: (exitCode ?? 0) === 0,
        command: `apptainer-${verb}`,
        image_name: name,
        image,
        synced,
        gpu: command.gpu,
        exports: { ...command.variables, ...started.variables },
        container_command: [command.program, ...command.args],
        ...(exitCode === undefined ? {} : { exit_code: exitCode }),
        dry_run: request.dryRun,
      };
    },
    render(answer) {
      if (!answer.dry_run) return {};
      const variables = Object.entries(answer.exports).map(([name, value]) => `APPTAINERENV_${name}=${value}`);
      const words = [...(variables.length === 0 ? [] : ["env", ...variables]), ...answer.container_command];
      return { stdout: `${commandLine(words)}\n` };
    },
  });
}

export const run = containerCommand("run");
export const exec = containerCommand("exec");
export const shell = containerCommand("shell");

function missing(what: string, usage: string): CliError {
  return new CliError("usage", `Missing the name of ${what}`, { hint: usage });
}

/** Scratch as a whole: a job's working directory and its data are there, not only the staged caches. */
async function scratchBinds({ config, configPath }: ImageSetting, { env }: Context["system"]): Promise<string[]> {
  try {
    const { scratchBase } = resolveConfig({ ...config, vars: {} }, configPath, env);
    return await Deno.stat(`${scratchBase}/.`).then(() => [scratchBase], () => []);
  } catch (error) {
    if (error instanceof CliError) return [];
    throw error;
  }
}
