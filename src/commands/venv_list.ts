// `euler-files venv list`: the Python environments below the venv base, with their packages and the images that use them.
import * as v from "valibot";
import { withImageDetails } from "../config/image_record.ts";
import { bytesOf, countOf, roundSeconds, secondsOf, timeOf } from "../contract/answer_fields.ts";
import { type Answer, defineCommand } from "../contract/command.ts";
import { text } from "../contract/fields.ts";
import { formatAge, formatCount, formatSize } from "../text/format.ts";
import { renderTable } from "../text/table.ts";
import { readConfigIfExists, resolveVenvBase } from "../venv/base.ts";
import { measureTree } from "../transfer/measure.ts";
import { readPackages } from "../venv/packages.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  venvBase: text("Directory of the environments, instead of the configured one or $VENV_DIR", {
    placeholder: "DIR",
    variable: "VENV_DIR",
  }),
};

const venv = v.object({
  name: v.string(),
  path: v.string(),
  python_version: v.string(),
  made_by: v.picklist(["uv", "virtualenv", "venv"]),
  relocatable: v.boolean(),
  python: v.pipe(v.picklist(["present", "missing"]), v.description("Whether its bin/python leads to a program")),
  packages: countOf("How many distributions are installed"),
  size_bytes: bytesOf("What is in it"),
  files: countOf("Files in it"),
  changed_at: timeOf("When a file in it last changed"),
  age_seconds: secondsOf("How long ago that was"),
  images: v.pipe(v.array(v.string()), v.description("The images that were built from it")),
});

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("venv-list"),
  venv_base: v.string(),
  environments: v.array(venv),
});

type ListAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "venv list",
  summary: "List the Python environments",
  description: "Looks at every file of every environment for its size, which takes a while on a network file system.",
  examples: [{ command: "euler-files venv list", does: "Name, Python, packages, size and images of each" }],
  fields,
  answer,
  async run(request, { system, configOption }): Promise<ListAnswer> {
    const config = await readConfigIfExists(configOption, system);
    const base = resolveVenvBase({ option: request.venvBase, config }, system);
    const section = config?.config.apptainer;
    const images = section === undefined ? [] : Object.entries(withImageDetails(section).images);
    const environments: v.InferOutput<typeof venv>[] = [];
    for (const one of await listVenvs(base)) {
      const [packages, measure] = await Promise.all([readPackages(one), measureTree({ root: one.path }, system)]);
      environments.push({
        name: one.name,
        path: one.path,
        python_version: one.pythonVersion,
        made_by: one.madeBy,
        relocatable: one.relocatable,
        python: one.interpreter,
        packages: packages.length,
        size_bytes: measure.sizeBytes,
        files: measure.files,
        changed_at: measure.newestMilliseconds / 1000,
        age_seconds: roundSeconds(Math.max(0, system.now() - measure.newestMilliseconds) / 1000),
        images: images.filter(([, image]) => image.venv_name === one.name && image.venv_path === undefined).map((
          [name],
        ) => name),
      });
    }
    return { ok: true, command: "venv-list", venv_base: base, environments };
  },
  render(answer, { stdout: style }) {
    if (answer.environments.length === 0) return { stderr: `There are no environments in "${answer.venv_base}"\n` };
    const rows = answer.environments.map((one) => [
      one.name,
      one.python === "present" ? one.python_version : `${one.python_version} (gone)`,
      formatCount(one.packages),
      formatSize(one.size_bytes),
      formatCount(one.files),
      one.images.join(", ") || "-",
      `${formatAge(one.age_seconds)} ago`,
    ]);
    const head = ["Name", "Python", "Packages", "Size", "Files", "Images", "Last change"];
    return { stdout: renderTable(head.map(style.bold), rows) };
  },
});
