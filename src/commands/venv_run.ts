// `euler-files venv run`: a program with a pack, without a container.
import * as v from "valibot";
import { bringImage, variablesFor, warnIfOutdated } from "../apptainer/bring_image.ts";
import { openPack } from "../apptainer/open_pack.ts";
import { environmentPath, type ImageSetting, loadSetting, recordOf } from "../apptainer/setting.ts";
import { TIERS } from "../config/tier.ts";
import { COUNT } from "../contract/answer_fields.ts";
import { type Answer, defineCommand } from "../contract/command.ts";
import { choice, text, words } from "../contract/fields.ts";
import { CliError } from "../errors/errors.ts";
import { catchEarlySignals, earlySignalText } from "../system/early_signals.ts";
import { shellWord } from "../text/format.ts";
import { runCommand } from "../tools/program.ts";

const fields = {
  name: text("The environment", { placement: "argument", placeholder: "NAME", completion: "environment" }),
  args: words("The program to start; options after its first word are its own", {
    placeholder: "PROGRAM",
    takesRest: true,
  }),
  to: choice(TIERS, "Use the pack and the caches on scratch, or those on the disk of this node", {
    placeholder: "TIER",
  }),
};

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("venv-run"),
  name: v.string(),
  pack: v.pipe(v.string(), v.description("The file that was used")),
  way: v.pipe(
    v.picklist(["mounted", "bound", "unpacked"]),
    v.description("mounted or bound: seen at its own path, by this program alone; unpacked: at another path"),
  ),
  venv_path: v.pipe(v.string(), v.description("Where the program saw the environment")),
  synced: v.pipe(v.boolean(), v.description("Whether the pack had to be copied to scratch first")),
  exports: v.pipe(v.record(v.string(), v.string()), v.description("The managed variables that were set")),
  exit_code: v.pipe(COUNT, v.description("What the program ended with; so does this command")),
});

type RunAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "venv run",
  summary: "Run a program with the pack of an environment, without a container",
  description:
    "The pack is copied to scratch if scratch does not have it. With squashfuse it is mounted at the environment's own path, where only " +
    "this program sees it; else it is unpacked to this node for the time of the program. PATH and VIRTUAL_ENV are those of " +
    "an activated environment, the variables that are staged are set. Ends with the program's exit code.",
  examples: [
    {
      command: "euler-files venv run my-ml-env -- python train.py",
      does: "In a job script, where there is no Apptainer",
    },
  ],
  fields,
  answer,
  async ask(request, { system, configOption, prompt }) {
    if (request.name !== undefined) return request;
    const { section } = await loadSetting(configOption, system);
    const packs = Object.entries(section.images).filter(([, { kind }]) => kind === "pack");
    if (packs.length === 0) return request;
    const options = packs.map(([name, record]) => ({
      value: name,
      label: name,
      hint: `Python ${record.python_version}`,
    }));
    return { ...request, name: await prompt.select({ message: "Which pack?", options }) };
  },
  async run(request, { system, configOption, report, wantsDocument }): Promise<RunAnswer> {
    const setting = await loadSetting(configOption, system);
    const name = packOf(setting, request.name);
    if (request.args.length === 0) {
      throw new CliError("usage", "Missing the program", {
        hint: `euler-files venv run ${shellWord(name)} -- PROGRAM`,
      });
    }
    using _early = catchEarlySignals(
      system,
      (signal) => report({ type: "warning", subject: name, text: earlySignalText(signal) }),
    );
    await warnIfOutdated(setting, name, report, system);
    const { image, synced } = await bringImage(setting, { to: request.to, dryRun: false }, name, report, system);
    const exports = await variablesFor(setting, request.to, system);
    const path = environmentPath(setting, name);
    const variable = recordOf(setting.section, name)?.venv_path === undefined ? "VIRTUAL_ENV" : "CONDA_PREFIX";
    await using pack = await openPack(image, path, setting, report, system);
    const exitCode = await runCommand({
      program: "/usr/bin/env",
      args: [...pack.words, ...request.args],
      env: {
        ...exports,
        [variable]: pack.path,
        PATH: `${pack.path}/bin:${system.env.PATH ?? "/usr/bin:/bin"}`,
        PYTHONHOME: null,
      },
      stdout: wantsDocument ? "stderr" : "stdout",
    }, system);
    return {
      ok: exitCode === 0,
      command: "venv-run",
      name,
      pack: image,
      way: pack.way,
      venv_path: pack.path,
      synced,
      exports,
      exit_code: exitCode,
    };
  },
  render: () => ({}),
});

function packOf({ section }: ImageSetting, name: string | undefined): string {
  if (name === undefined) {
    throw new CliError("usage", "Missing the name of the environment", {
      hint: "euler-files venv run NAME -- PROGRAM",
    });
  }
  const record = recordOf(section, name);
  if (record?.kind === "pack") return name;
  throw new CliError("not-found", `Cannot find a pack of "${name}"`, {
    hint: record === undefined
      ? `euler-files venv pack ${shellWord(name)}`
      : `it has an image: \`euler-files apptainer exec ${shellWord(name)} -- PROGRAM\``,
  });
}
