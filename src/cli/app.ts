// The table of commands: the program's table of contents. Each is loaded only when it is asked for.
import type { AnyCommand, Catalogue } from "../contract/command.ts";
import type { CompletionSource } from "../completion/shells.ts";

/** A command's one line in the list of commands, and how to load it. */
export interface CommandEntry {
  readonly load: () => Promise<AnyCommand>;
}

/** Every command by the words that call it, in the order of the help. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  "init": { load: async () => (await import("../commands/init.ts")).init },
  "add": { load: async () => (await import("../commands/add.ts")).add },
  "remove": { load: async () => (await import("../commands/remove.ts")).remove },
  "sync": { load: async () => (await import("../commands/sync.ts")).sync },
  "unload": { load: async () => (await import("../commands/unload.ts")).unload },
  "exec": { load: async () => (await import("../commands/exec.ts")).exec },
  "status": { load: async () => (await import("../commands/status.ts")).status },
  "push": { load: async () => (await import("../commands/push.ts")).push },
  "clean": { load: async () => (await import("../commands/clean.ts")).clean },
  "diff": { load: async () => (await import("../commands/diff.ts")).diff },
  "resolve": { load: async () => (await import("../commands/resolve.ts")).resolve },
  "doctor": { load: async () => (await import("../commands/doctor.ts")).doctor },
  "job-script": { load: async () => (await import("../commands/job_script.ts")).jobScriptCommand },
  "migrate": { load: async () => (await import("../commands/migrate.ts")).migrate },
  "shell-init": { load: async () => (await import("../commands/shell_init.ts")).shellInitCommand(completed()) },
  "completion": { load: async () => (await import("../commands/completion.ts")).completionCommand(completed()) },
  "venv install": { load: async () => (await import("../commands/venv_install.ts")).default },
  "venv list": { load: async () => (await import("../commands/venv_list.ts")).default },
  "venv remove": { load: async () => (await import("../commands/venv_remove.ts")).default },
  "venv pack": { load: async () => (await import("../commands/venv_pack.ts")).default },
  "venv run": { load: async () => (await import("../commands/venv_run.ts")).default },
  "venv wrap": { load: async () => (await import("../commands/wrap.ts")).venvWrap },
  "config path": { load: async () => (await import("../commands/config_path.ts")).configPathCommand },
  "config show": { load: async () => (await import("../commands/config_show.ts")).configShow },
  "config get": { load: async () => (await import("../commands/config_get.ts")).configGet },
  "config set": { load: async () => (await import("../commands/config_set.ts")).configSet },
  "config edit": { load: async () => (await import("../commands/config_edit.ts")).configEdit },
  "config validate": { load: async () => (await import("../commands/config_validate.ts")).configValidate },
  "venv migrate": { load: async () => (await import("../commands/venv_migrate.ts")).default },
  "venv migrate-store": { load: async () => (await import("../commands/venv_migrate_store.ts")).default },
  "apptainer init": { load: async () => (await import("../commands/apptainer_init.ts")).default },
  "apptainer build": { load: async () => (await import("../commands/apptainer_build.ts")).default },
  "apptainer sync": { load: async () => (await import("../commands/apptainer_sync.ts")).default },
  "apptainer list": { load: async () => (await import("../commands/apptainer_list.ts")).default },
  "apptainer run": { load: async () => (await import("../commands/apptainer_run.ts")).run },
  "apptainer exec": { load: async () => (await import("../commands/apptainer_run.ts")).exec },
  "apptainer shell": { load: async () => (await import("../commands/apptainer_run.ts")).shell },
  "apptainer wrap": { load: async () => (await import("../commands/wrap.ts")).apptainerWrap },
  "apptainer prune": { load: async () => (await import("../commands/apptainer_prune.ts")).default },
  "apptainer fixup": { load: async () => (await import("../commands/apptainer_fixup.ts")).default },
  "schema": { load: async () => (await import("../commands/schema.ts")).schemaCommand(loadCatalogue) },
};

/** Alternative names of commands. */
export const ALIASES: Readonly<Record<string, string>> = { "off": "unload" };

/** One line about each group of commands, for the help. */
export const GROUPS: Readonly<Record<string, string>> = {
  "config": "Show, check and change the configuration",
  "venv": "Python environments, made with uv",
  "apptainer": "Container images of Python environments",
};

/** The commands that a shell can complete, loaded only on demand. */
function completed(): CompletionSource {
  return { loadCatalogue, aliases: ALIASES };
}

/** Loads every command, for the help and the schemas of all of them. */
export async function loadCatalogue(): Promise<Catalogue> {
  return { commands: await Promise.all(Object.values(COMMANDS).map(({ load }) => load())), groups: GROUPS };
}
