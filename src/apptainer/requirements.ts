// The packages of an image or a pack with their versions, as a requirements file: kept in it and beside it, so that the environment
// can be made again, and so that `apptainer list` can say what changed since.
import { withoutCredentials } from "../text/format.ts";
import type { InstalledPackage } from "../venv/packages.ts";
import type { Environment } from "../venv/conda.ts";

/** The beginning of the lines about packages that pip installed into a conda prefix. */
const PIP = "# pip install ";

/** The text of the file: of a conda prefix an explicit list, which conda, mamba and micromamba take. Pure. */
export function renderRequirements(
  { name, pythonVersion, madeBy }: Pick<Environment, "name" | "pythonVersion" | "madeBy">,
  packages: readonly InstalledPackage[],
): string {
  const head = `# What the environment ${JSON.stringify(name)} had. To make it again, with this file:`;
  if (madeBy === "conda") {
    return [
      head,
      "# micromamba create -n NAME -f FILE, then what the lines with pip say",
      "@EXPLICIT",
      ...packages.flatMap(({ condaFile }) => condaFile === undefined ? [] : [withoutCredentials(condaFile)]),
      ...packages.filter(({ condaFile }) => condaFile === undefined).map((one) => `${PIP}${requirementOf(one)}`),
      "",
    ].join("\n");
  }
  return [
    head,
    `# euler-files venv install NAME --python ${pythonVersion} -r FILE`,
    ...packages.map(requirementOf),
    "",
  ].join("\n");
}

function requirementOf({ name, version, reference, editable }: InstalledPackage): string {
  if (reference === undefined) return `${name}==${version}`;
  const from = withoutCredentials(reference);
  return editable ? `-e ${from} # ${name}` : `${name} @ ${from}`;
}

/** What such a file says. */
export interface RecordedPackages {
  readonly python: string | undefined;
  /** The version or the origin of each package by its name. */
  readonly packages: ReadonlyMap<string, string>;
}

/** Reads such a file back. Other lines than those that `renderRequirements` writes are left out. Pure. */
export function readRequirements(text: string): RecordedPackages {
  const packages = new Map<string, string>();
  for (const whole of text.split("\n")) {
    const line = whole.startsWith(PIP) ? whole.slice(PIP.length) : whole;
    const [, conda, release] = /\/([^/]+)-([^-/]+)-[^-/]+\.(?:conda|tar\.bz2)(?:#\S*)?$/.exec(line) ?? [];
    if (conda !== undefined && release !== undefined) packages.set(conda, release);
    const [, name, version] = /^(\S+?)==(\S+)$/.exec(line) ?? /^(\S+) @ (\S+)$/.exec(line) ?? [];
    const [, origin, linked] = /^-e (\S+) # (\S+)$/.exec(line) ?? [];
    if (name !== undefined && version !== undefined) packages.set(name, version);
    if (origin !== undefined && linked !== undefined) packages.set(linked, `${origin} (link)`);
  }
  return { python: /^# euler-files venv install NAME --python (\S+) /m.exec(text)?.[1], packages };
}
