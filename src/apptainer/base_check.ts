// Whether an image can be built upon its base: asked before anything is packed.
import { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { type Apptainer, runShellIn } from "../tools/apptainer.ts";
import { promisedPython } from "./base_image.ts";
import { buildFailure } from "./build_failure.ts";
import type { ImageInputs } from "./inputs.ts";
import { pythonSearch } from "./python_search.ts";
import { pathExists } from "../system/existence.ts";

/** Refuses an unsuitable base before anything is packed: its tag says another Python, or its file does not exist. */
export async function checkBase({ base, venv }: ImageInputs): Promise<void> {
  const promised = promisedPython(base);
  if (promised !== undefined && promised !== venv.pythonSeries) throw wrongPython(base.written, promised, venv);
  if (base.localPath === undefined || await pathExists(base.localPath)) return;
  throw new CliError("not-found", `Cannot find the base image "${base.localPath}"`, {
    hint: "euler-files config set apptainer.base_image IMAGE, with a Docker reference or the path of a .sif file",
  });
}

function wrongPython(base: string, found: string, venv: ImageInputs["venv"]): CliError {
  return new CliError(
    "config",
    `Cannot build upon "${base}": it has ${found}, and "${venv.name}" was made with ${venv.pythonSeries}`,
    {
      hint: `choose a base with Python ${venv.pythonSeries} (python:{version}-slim fits any), ` +
        "or make the environment again with the base's Python: `euler-files venv install --python VERSION`",
    },
  );
}

/**
 * Looks into a base that is on this machine, with `temporary` for what Apptainer unpacks; one from a registry is looked at by the first lines
 * of %post. Throws a CliError `config` for another Python, `tool` if no container starts.
 */
export async function checkBasePython(
  { base, venv }: ImageInputs,
  apptainer: Apptainer,
  temporary: string,
  system: System,
): Promise<void> {
  if (base.agent !== "localimage") return;
  const script = `${pythonSearch(venv.pythonSeries)}\necho "found=$python"`;
  const answer = await runShellIn(apptainer, { image: base.from, script, temporary }, system);
  if ("failure" in answer) {
    throw buildFailure(`Cannot start the base image "${base.from}"`, venv.name, answer.failure);
  }
  if (/^found=\//m.test(answer.stdout)) return;
  throw wrongPython(base.written, `no Python ${venv.pythonSeries}`, venv);
}
