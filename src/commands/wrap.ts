// `euler-files venv wrap` and `apptainer wrap`: programs in a directory that stage and run an image, named like those in it.
import * as v from "valibot";
import { imagePathsOf, type ImageSetting, loadSetting, recordOf, selectImages } from "../apptainer/setting.ts";
import { wrappedImage, wrappedPrograms, wrapperMode } from "../apptainer/wrapped_image.ts";
import {
  foreignError,
  listWrappers,
  planWrappers,
  removeWrappers,
  wrapperDirectories,
  writeWrappers,
} from "../apptainer/wrappers.ts";
import { editConfig } from "../config/config_edit.ts";
import { imageEdits, withImageDetails } from "../config/image_record.ts";
import { type AbsolutePath, resolvePath } from "../config/paths.ts";
import { type Answer, type Command, type Context, defineCommand } from "../contract/command.ts";
import { flag, type RequestOf, text } from "../contract/fields.ts";
import { CliError } from "../errors/errors.ts";
import { commandLine } from "../shell/quote.ts";
import { acquireLock, holderText } from "../system/file_lock.ts";
import { refuseOpenDirectory } from "../system/trusted_path.ts";
import { listSome, shellWord } from "../text/format.ts";

const DIR = text("Directory of the wrappers, one of its own: ~/bin/NAME", {
  placeholder: "DIR",
  completion: "directory",
  required: true,
});
const UNWRAP = flag("Remove the wrappers of the image from the directory");
const DRY_RUN = flag("Show what would be done");

const FIELDS = {
  venv: {
    name: text("The environment", { placement: "argument", placeholder: "NAME", completion: "environment" }),
    dir: DIR,
    unwrap: UNWRAP,
    dryRun: DRY_RUN,
  },
  apptainer: {
    name: text("The image", { placement: "argument", placeholder: "NAME", completion: "image" }),
    dir: DIR,
    unwrap: UNWRAP,
    dryRun: DRY_RUN,
  },
} as const;

type Group = keyof typeof FIELDS;
type Fields = typeof FIELDS.apptainer;

function answerOf<const G extends Group>(group: G) {
  return v.object({
    ok: v.literal(true),
    command: v.literal(`${group}-wrap` as const),
    status: v.picklist(["wrapped", "unchanged", "removed", "dry-run"]),
    image_name: v.string(),
    directory: v.string(),
    programs: v.pipe(v.array(v.string()), v.description("The programs that have a wrapper afterwards")),
    written: v.pipe(v.array(v.string()), v.description("Those that are new or changed")),
    removed: v.array(v.string()),
    dry_run: v.boolean(),
  });
}

type WrapAnswer = Answer & v.InferOutput<ReturnType<typeof answerOf<Group>>>;
type Request = RequestOf<Fields>;

function wrapCommand(group: Group): Command<Fields, WrapAnswer> {
  return defineCommand({
    name: `${group} wrap`,
    summary: "Make programs that run those of an image, for scripts and editors",
    description:
      "Each program in the bin of the environment gets a small one of its name in DIR, which stages the image and starts " +
      "the program in it, as `euler-files apptainer exec` does. A build or a pack writes them again, `apptainer prune` " +
      "removes them. Files in DIR that are none of these are neither replaced nor removed.",
    examples: [
      {
        command: `euler-files ${group} wrap my-ml-env --dir ~/bin/my-ml-env`,
        does: "python, pip … in ~/bin/my-ml-env",
      },
      { command: `euler-files ${group} wrap my-ml-env --dir ~/bin/my-ml-env --unwrap`, does: "Remove them" },
    ],
    fields: FIELDS[group],
    answer: answerOf(group),
    async ask(request, { system, configOption, prompt }) {
      const { section } = await loadSetting(configOption, system);
      const names = Object.keys(section.images);
      if (request.name === undefined && names.length === 0) return request;
      const options = names.map((name) => ({
        value: name,
        label: name,
        hint: `Python ${section.images[name]?.python_version}`,
      }));
      const name = request.name ?? await prompt.select({ message: "Which image?", options });
      const dir = request.dir ??
        await prompt.text({ message: "Directory of the wrappers, one of its own", initial: `~/bin/${name}` });
      return { ...request, name, dir };
    },
    async run(request, context): Promise<WrapAnswer> {
      const setting = await loadSetting(context.configOption, context.system);
      const name = imageOf(setting, group, request);
      const directory = directoryOf(group, name, request, context);
      const common = { ok: true, command: `${group}-wrap`, image_name: name, directory } as const;
      const change = request.unwrap ? unwrap : wrap;
      return { ...common, ...await change(name, directory, request.dryRun, context), dry_run: request.dryRun };
    },
    render(answer, { stderr: style }) {
      const { directory, written, removed, dry_run } = answer;
      const said = [
        ...(written.length === 0
          ? []
          : [`${dry_run ? "Would write" : "Wrote"} ${directory}/{${listSome(written, 12)}}`]),
        ...(removed.length === 0 ? [] : [
          `${dry_run ? "Would remove" : "Removed"} ${directory}/{${listSome(removed, 12)}}`,
        ]),
      ];
      if (said.length === 0) said.push(`There is nothing to do in ${directory}`);
      if (answer.status === "wrapped") {
        said.push("", "Next:", `  ${style.bold(commandLine([`${directory}/python`, "SCRIPT"]))}`);
      }
      return { stderr: `${said.join("\n")}\n` };
    },
  });
}

export const venvWrap = wrapCommand("venv");
export const apptainerWrap = wrapCommand("apptainer");

/** The image of the name; of an environment, the image or pack that was made from it. */
function imageOf({ section }: ImageSetting, group: Group, { name }: Request): string {
  if (name === undefined) {
    throw new CliError("usage", "Missing the name of the image", { hint: `euler-files ${group} wrap NAME --dir DIR` });
  }
  if (group === "apptainer") return selectImages(section, [name])[0]!;
  const made = Object.keys(section.images).filter((image) => section.images[image]?.venv_name === name);
  const found = made.includes(name) ? name : made[0];
  if (found !== undefined) return found;
  throw new CliError("not-found", `Cannot find an image or a pack of the environment "${name}"`, {
    hint: `euler-files apptainer build ${shellWord(name)}, or where nothing can be built: ` +
      `euler-files venv pack ${shellWord(name)}`,
  });
}

function directoryOf(group: Group, name: string, { dir }: Request, { system }: Context): AbsolutePath {
  if (dir !== undefined) return resolvePath(dir, system.env, system.cwd, { label: "--dir", kind: "usage" });
  throw new CliError("usage", "Missing the directory of the wrappers", {
    hint: `euler-files ${group} wrap ${shellWord(name)} --dir ~/bin/${shellWord(name)}`,
  });
}

type Outcome = Pick<WrapAnswer, "status" | "programs" | "written" | "removed">;

async function wrap(name: string, directory: AbsolutePath, dryRun: boolean, context: Context): Promise<Outcome> {
  const { system } = context;
  // Held while the record is changed: a build writes it as well.
  await using lock = dryRun ? undefined : await lockImage(name, context);
  const setting = await loadSetting(context.configOption, system);
  const programs = await wrappedPrograms(setting, name, system);
  const plan = await planWrappers(directory, wrappedImage(setting, name, system), programs);
  if (plan.foreign.length > 0) throw foreignError(plan);
  const isSame = plan.write.size === 0 && plan.stale.length === 0;
  if (lock !== undefined) {
    const known = wrapperDirectories(recordOf(setting.section, name), system);
    // First, so that a killed process leaves no wrappers that prune does not find.
    await record(setting, name, [...new Set([...known, directory])], system);
    await lock.confirm();
    await writeWrappers(plan, wrapperMode());
  }
  const status = dryRun ? "dry-run" : isSame ? "unchanged" : "wrapped";
  return { status, programs: [...programs], written: [...plan.write.keys()], removed: [...plan.stale] };
}

async function unwrap(name: string, directory: AbsolutePath, dryRun: boolean, context: Context): Promise<Outcome> {
  const { system } = context;
  if (dryRun) {
    return { status: "dry-run", programs: [], written: [], removed: await listWrappers(directory, name) };
  }
  await using lock = await lockImage(name, context);
  const setting = await loadSetting(context.configOption, system);
  const removed = await removeWrappers(directory, name);
  await lock.confirm();
  const kept = wrapperDirectories(recordOf(setting.section, name), system).filter((one) => one !== directory);
  await record(setting, name, kept, system);
  return { status: removed.length === 0 ? "unchanged" : "removed", programs: [], written: [], removed };
}

async function lockImage(name: string, { system, configOption, report }: Context) {
  const setting = await loadSetting(configOption, system);
  await Deno.mkdir(setting.sifStore, { recursive: true, mode: 0o700 });
  await refuseOpenDirectory(setting.sifStore, system.userId);
  return await acquireLock({
    path: imagePathsOf(setting, name).lock,
    deadlineSeconds: setting.config.lock_timeout_seconds,
    deadlineSetting: "lock_timeout_seconds",
    onWait: (holder) =>
      report({ type: "note", subject: name, text: `waiting for a lock held ${holderText(holder, system)}` }),
  }, system);
}

async function record(
  { configPath }: ImageSetting,
  name: string,
  directories: readonly string[],
  system: Context["system"],
): Promise<void> {
  const wrapper_dirs = directories.length === 0 ? undefined : directories;
  await editConfig(configPath, ({ apptainer }) => {
    const image = apptainer === undefined ? undefined : recordOf(withImageDetails(apptainer), name);
    return image === undefined ? [] : imageEdits(name, { ...image, wrapper_dirs });
  }, system);
}
