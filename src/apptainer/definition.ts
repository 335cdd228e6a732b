// The text of an image's definition file. Pure. The sections: https://apptainer.org/docs/user/latest/definition_files.html
import type { InstalledPackage } from "../venv/packages.ts";
import { seriesOf } from "../venv/venv.ts";
import type { BaseImage } from "./base_image.ts";
import { pythonSearch } from "./python_search.ts";

/** The input of a definition. */
export interface DefinitionRequest {
  readonly base: BaseImage;
  readonly venvName: string;
  readonly pythonVersion: string;
  /** Where the environment is in the container. */
  readonly containerPath: string;
  /** The archive of the environment on this machine; its names begin with `./`. */
  readonly archive: string;
  readonly packages: readonly InstalledPackage[];
  /** The list of the packages with their versions on this machine. */
  readonly requirements: string;
  /** Lines that the configuration adds to %post. */
  readonly postLines: readonly string[];
  /** The hash of everything that goes into the image. */
  readonly inputs: string;
  readonly version: string;
}

/**
 * Stands for the text of definitions in the record of an image, so that an image which an earlier version made is told from one
 * whose environment or settings changed. It is raised with each change of the text that changes the image.
 */
export const DEFINITION_REVISION = 2;

/** The archive's path in the container, until %post has unpacked and removed it. */
const ARCHIVE_INSIDE = "/opt/venv.tar";

/** The beginning of the lines that %test prints about packages that can't be imported; the build reports them. */
export const IMPORT_WARNING = "euler-files: cannot import";

/** The line before those that the configuration adds. */
const POST_LINES = "    # The lines of apptainer.post_lines:";

/** What a definition says about the settings that it was made with. */
export interface DefinedSettings {
  readonly from: string;
  readonly containerPath: string;
  readonly postLines: string;
}

/** Reads the settings back from the text of a definition; undefined if euler-files did not write it. Pure. */
export function readDefinition(text: string): DefinedSettings | undefined {
  const from = /^From: (.*)$/m.exec(text)?.[1];
  const containerPath = /^ {4}export VIRTUAL_ENV='(.*)'$/m.exec(text)?.[1];
  if (from === undefined || containerPath === undefined) return undefined;
  const [, added = ""] = text.split(`\n${POST_LINES}\n    set +u\n`);
  const lines = added.split("\n\n%environment\n")[0]!.split("\n").map((line) => line.trim());
  return { from, containerPath, postLines: lines.join("\n") };
}

/** The whole definition file. */
export function renderDefinition(request: DefinitionRequest): string {
  return [
    `# Made by euler-files for the environment "${request.venvName}"; every build writes it anew.`,
    `Bootstrap: ${request.base.agent}`,
    `From: ${request.base.from}`,
    "",
    "%labels",
    `    euler-files.version ${request.version}`,
    `    euler-files.venv ${request.venvName}`,
    `    euler-files.python ${request.pythonVersion}`,
    `    euler-files.inputs ${request.inputs}`,
    "",
    "%files",
    `    ${quotedPath(request.archive)} ${ARCHIVE_INSIDE}`,
    `    ${quotedPath(request.requirements)} ${request.containerPath}.requirements.txt`,
    "",
    "%post",
    indent(postScript(request)),
    ...(request.postLines.length === 0 ? [] : [POST_LINES, "    set +u", ...request.postLines.map(indent)]),
    "",
    "%environment",
    `    export VIRTUAL_ENV='${request.containerPath}'`,
    `    export PATH='${request.containerPath}/bin':"$PATH"`,
    "    # What lies in the home of whoever runs the image is no part of it.",
    "    export PYTHONNOUSERSITE=1",
    "    # Modules of the host are for another Python; --env PYTHONPATH=... passes some in. Apptainer gives the host's values",
    "    # to variables that have none here, so they are empty instead of unset.",
    "    export PYTHONHOME= PYTHONPATH=",
    "",
    "%runscript",
    `    exec '${request.containerPath}/bin/python' "$@"`,
    "",
    "%test",
    `    '${request.containerPath}/bin/python' - <<'END'`,
    testScript(request),
    "END",
    "",
  ].join("\n");
}

/** %files takes words in double quotes; paths with a quote in them are refused earlier. */
function quotedPath(path: string): string {
  return /\s/.test(path) ? `"${path}"` : path;
}

function indent(text: string): string {
  return text.split("\n").map((line) => line === "" ? "" : `    ${line}`).join("\n");
}

function postScript({ pythonVersion, containerPath }: DefinitionRequest): string {
  const series = seriesOf(pythonVersion);
  return `set +x
# A Docker image says in its own environment where its Python is.
if [ -r /.singularity.d/env/10-docker2singularity.sh ]; then . /.singularity.d/env/10-docker2singularity.sh; fi
set -eu
umask 022
venv='${containerPath}'
${pythonSearch(series)}
if [ -z "$python" ]; then
  echo 'euler-files: the base image has no Python ${series}, which the environment was made with' >&2
  exit 1
fi
mkdir -p "$venv"
tar -xof ${ARCHIVE_INSIDE} -C "$venv"
rm -f ${ARCHIVE_INSIDE}
# Made under a strict umask, its files would be readable to root only, and in a container nobody is root.
chmod -R a+rX "$venv"
# The shebangs and paths in the archive name $venv already. The Python behind them stayed on the host: the image's takes
# its place.
sed -i -e "s|^home *=.*|home = $(dirname "$python")|" -e "s|^executable *=.*|executable = $python|" \\
  -e "s|^base-executable *=.*|base-executable = $python|" "$venv/pyvenv.cfg"
rm -f "$venv/bin/python" "$venv/bin/python3" "$venv/bin/python${series}"
ln -s "$python" "$venv/bin/python"
ln -s python "$venv/bin/python3"
ln -s python "$venv/bin/python${series}"`;
}

function testScript({ packages, containerPath }: DefinitionRequest): string {
  const installed = packages.map((one) => [one.name, one.version]);
  const asked = packages.filter((one) => one.requested && !one.editable).map((one) => one.name);
  return `import sys


def told(error):
    """The first line that says something, of the error and of those that caused it."""
    texts = []
    while error is not None and len(texts) < 4:
        lines = [line for line in str(error).split("\\n") if line.strip()]
        texts.append(type(error).__name__ + (": " + lines[0].strip() if lines else ""))
        error = error.__cause__ or error.__context__
    return ", because of ".join(texts)


if sys.prefix != ${JSON.stringify(containerPath)}:
    sys.exit("euler-files: Python runs in " + sys.prefix + ", not in its environment")
try:
    import importlib, importlib.metadata as metadata
except ImportError:
    sys.exit(0)
for name, version in ${JSON.stringify(installed)}:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        sys.exit("euler-files: the package " + name + " is missing in the image")
    if found != version:
        sys.exit("euler-files: the package " + name + " is " + found + " in the image, not " + version)
for name in ${JSON.stringify(asked)}:
    files = metadata.files(name) or []
    tops = {path.parts[0][:-3] if path.parts[0].endswith(".py") else path.parts[0] for path in files if path.suffix == ".py"}
    for top in sorted(one for one in tops if one.isidentifier() and not one.startswith("_")):
        try:
            importlib.import_module(top)
        except BaseException as error:
            print("${IMPORT_WARNING} %s: %s" % (top, told(error)), flush=True)`;
}
