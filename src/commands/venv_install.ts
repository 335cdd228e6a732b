// `euler-files venv install`: makes a Python environment with uv, or uses an existing one, and installs packages.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import type { ConfigFile } from "../config/config_file.ts";
import { resolveConfig } from "../config/resolve.ts";
import { expandPath, resolvePath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { withoutCredentials } from "../text/format.ts";
import { flag, list, type RequestOf, text } from "../contract/fields.ts";
import { commandLine } from "../shell/quote.ts";
import { findUv, type Uv, uvMissing } from "../tools/uv.ts";
import { underLocks } from "../system/file_lock.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import { waitForServer } from "../system/wait_for_server.ts";
import { lockVenv, readConfigIfExists, resolveUvCache, resolveVenvBase, venvPath } from "../venv/base.ts";
import { install, type InstallPlan, observeTarget, planInstall } from "../venv/install.ts";
import { requirementsIn } from "../venv/requirement_files.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  envName: text("Name of the environment, a directory below the venv base", {
    placement: "argument",
    placeholder: "ENV_NAME",
    required: true,
    completion: "environment",
  }),
  packages: list("What to install, as pip and uv write it; what follows -- reaches uv unchanged", {
    placement: "argument",
    placeholder: "PACKAGES",
    aliases: ["requirements"],
  }),
  python: text("Python version or interpreter for a new environment", { placeholder: "PYTHON" }),
  requirementFiles: list("Install what a file lists: requirements, a pyproject.toml, uv.lock or pylock.toml", {
    flag: "--requirement",
    short: "-r",
    placeholder: "FILE",
  }),
  editables: list("Install a project as a link to its directory", {
    flag: "--editable",
    short: "-e",
    placeholder: "PROJECT",
  }),
  venvBase: text("Directory of the environments, instead of the configured one or $VENV_DIR", {
    placeholder: "DIR",
    variable: "VENV_DIR",
  }),
  uvCacheDir: text("uv's cache directory", { placeholder: "DIR" }),
  indexUrl: text("Package index to use instead of PyPI", { placeholder: "URL" }),
  extraIndexUrls: list("Package index to use besides", { flag: "--extra-index-url", placeholder: "URL" }),
  upgrade: flag("Install the newest versions that fit, also of what is there"),
  dryRun: flag("Show the uv commands without running them"),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("venv-install"),
  env_name: v.string(),
  venv_base: v.string(),
  venv_path: v.string(),
  created: v.pipe(v.boolean(), v.description("Whether the environment is new")),
  packages: v.array(v.string()),
  requirement_files: v.array(v.string()),
  editables: v.array(v.string()),
  python: v.nullable(v.string()),
  index_url: v.nullable(v.string()),
  extra_index_urls: v.pipe(
    v.array(v.string()),
    v.description("Indexes besides the first; with torch_backend only PyTorch's own packages come from PyTorch's"),
  ),
  torch_backend: v.pipe(v.nullable(v.string()), v.description("What uv's --torch-backend was given")),
  uv_cache_dir: v.nullable(v.string()),
  commands: v.pipe(v.array(v.string()), v.description("The uv commands, quoted for a shell")),
  dry_run: v.boolean(),
});

type InstallAnswer = Answer & v.InferOutput<typeof answer>;
type Request = RequestOf<typeof fields>;

export default defineCommand({
  name: "venv install",
  summary: "Make a Python environment with uv, or add packages to one",
  description:
    "The environment is made below --venv-base, the configured apptainer.venv_base, $VENV_DIR or ~/venvs. A PyTorch version with a " +
    "suffix, torch==2.4.0+cu121 say, brings the PyTorch index for that hardware; all other packages still come from PyPI. " +
    "Of a uv.lock the exact versions are installed, with the project as a link to its directory; what follows -- goes to " +
    "`uv export`: --no-editable, --no-emit-project, --extra NAME.",
  examples: [
    { command: "euler-files venv install my-ml-env torch transformers", does: "Make it and install two packages" },
    { command: "euler-files venv install my-ml-env -r requirements.txt", does: "Install what a file lists" },
    { command: "euler-files venv install my-ml-env -r ~/project/uv.lock", does: "What a project has locked" },
    { command: "euler-files venv install cuda torch==2.4.0+cu121", does: "PyTorch for CUDA 12.1" },
  ],
  fields,
  answer,
  async ask(request, context) {
    if (request.envName !== undefined) return request;
    const config = await readConfigIfExists(context.configOption, context.system);
    const base = resolveVenvBase({ option: request.venvBase, config }, context.system);
    const known = (await listVenvs(base)).map((venv) => venv.name);
    const envName = await context.prompt.text({
      message: known.length === 0
        ? "Name of the new environment"
        : `Name of the environment (${known.join(", ")}, or a new one)`,
    });
    return { ...request, envName };
  },
  async run(request, context): Promise<InstallAnswer> {
    const { system } = context;
    const name = checkRequest(request);
    const config = await readConfigIfExists(context.configOption, system);
    const base = resolveVenvBase({ option: request.venvBase, config }, system);
    const path = venvPath(base, name);
    const uvCacheDir = resolveUvCache(request.uvCacheDir, config, system);
    const files = request.requirementFiles.map((file) =>
      resolvePath(file, system.env, system.cwd, { label: "--requirement", kind: "usage" })
    );
    const editables = request.editables.map((project) =>
      /^[a-z][a-z0-9+.-]*:\/\//i.test(project)
        ? project
        : resolvePath(project, system.env, system.cwd, { label: "--editable", kind: "usage" })
    );
    const exportFile = `${temporaryBeside(path, "write")}/pylock.toml`;
    const requirements = [...request.packages, ...await readRequirements(files)];
    const uv = await findUv(system, requirements.some((one) => one.includes("+")));
    const decide = async () =>
      planInstall(
        {
          ...request,
          venvPath: path,
          python: expandPython(request.python, context),
          requirementFiles: files,
          editables,
          exportFile,
          uvCacheDir,
          scratch: scratchOf(config, context),
        },
        await observeTarget(path),
        requirements,
        uv?.torchBackends ?? new Set(),
      );
    let plan = await decide();
    if (!request.dryRun) {
      if (uv === undefined) throw uvMissing();
      await Deno.mkdir(base, { recursive: true, mode: 0o700 });
      const deadline = config?.config.lock_timeout_seconds ?? 300;
      await using lock = await lockVenv(
        path,
        deadline,
        system,
        (note) => context.report({ type: "note", text: note }),
      );
      // Another process may have made it while this one waited for the lock.
      plan = await decide();
      await executePlan(plan, uv, { ...context, system: underLocks(system, lock) });
      await lock.confirm();
    }
    return {
      ok: true,
      command: "venv-install",
      env_name: name,
      venv_base: base,
      venv_path: path,
      created: plan.created,
      packages: request.packages.map(withoutCredentials),
      requirement_files: files,
      editables: editables.map(withoutCredentials),
      python: request.python ?? null,
      index_url: request.indexUrl === undefined ? null : withoutCredentials(request.indexUrl),
      extra_index_urls: plan.extraIndexUrls.map(withoutCredentials),
      torch_backend: plan.torchBackend ?? null,
      uv_cache_dir: uvCacheDir ?? null,
      commands: plan.commands.map((args) => withoutCredentials(commandLine([uv?.program ?? "uv", ...args]))),
      dry_run: request.dryRun,
    };
  },
  render(answer) {
    if (answer.dry_run) return { stdout: answer.commands.map((command) => `${command}\n`).join("") };
    const what = answer.created ? "is made" : "is up to date";
    return {
      stderr: `Environment "${answer.env_name}" ${what}: source ${commandLine([`${answer.venv_path}/bin/activate`])}\n`,
    };
  },
});

function checkRequest(request: Request): string {
  if (request.envName === undefined) {
    throw new CliError("usage", "Missing the name of the environment", {
      hint: "euler-files venv install ENV_NAME PACKAGES...",
    });
  }
  if (request.packages.length + request.requirementFiles.length + request.editables.length === 0) {
    throw new CliError("usage", `Nothing to install into "${request.envName}"`, {
      hint: `euler-files venv install ${request.envName} PACKAGES..., or -r requirements.txt`,
    });
  }
  return request.envName;
}

/** An interpreter's path may contain ~ or a variable; a version is left unchanged. */
function expandPython(python: string | undefined, { system }: Context): string | undefined {
  return python === undefined ? undefined : expandPath(python, system.env, { label: "--python", kind: "usage" });
}

function scratchOf(config: ConfigFile | undefined, { system }: Context): string[] {
  try {
    if (config === undefined) return [];
    const { scratchBase, cacheRoot } = resolveConfig({ ...config.config, vars: {} }, config.path, system.env);
    return [scratchBase, cacheRoot];
  } catch {
    // Where scratch is not set, nothing is there.
    return [];
  }
}

async function readRequirements(files: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(
    files.map((file) =>
      waitForServer(file).then(() => Deno.readTextFile(file)).catch((error) => {
        const kind = error instanceof Deno.errors.NotFound ? "not-found" : "file-system";
        throw new CliError(kind, `Cannot read the requirements "${file}": ${messageOf(error)}`, { cause: error });
      })
    ),
  );
  return texts.flatMap((text, index) => requirementsIn(files[index]!, text));
}

async function executePlan(plan: InstallPlan, uv: Uv, { system, report, sharesTerminal }: Context): Promise<void> {
  const hear = (text: string) => report({ type: "output", text });
  await install(plan, uv, { listener: { terminal: sharesTerminal, hear }, report }, system);
}
