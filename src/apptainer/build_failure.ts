// What went wrong in Apptainer, and what helps.
import { CliError } from "../errors/errors.ts";
import { saysDiskIsFull } from "../errors/os_error.ts";
import { shellWord } from "../text/format.ts";

/** The colours in which Apptainer writes its messages, also where no terminal is. */
// deno-lint-ignore no-control-regex -- they begin with a control character
const COLOURS = /\x1b\[[0-9;]*m/g;

/**
 * The error for what Apptainer could not do for the image of an environment, with its last lines and a hint for the failures that
 * are known from clusters.
 */
export function buildFailure(message: string, name: string, lastLines: readonly string[]): CliError {
  const lines = lastLines.map((line) => line.replace(COLOURS, "").trimEnd()).filter((line) => line !== "");
  const said = lines.join("\n");
  const full = saysDiskIsFull(said);
  const hint = full
    ? "free up space, or set TMPDIR (or APPTAINER_TMPDIR) to a directory with more"
    : /faked.*GLIBC_[\d.]+' not found/i.test(said)
    ? "the fakeroot program of this node does not fit the base image: " +
      `euler-files config set apptainer.build_args '["--fakeroot", "--ignore-fakeroot-command"]'`
    : /subuid|subgid|uid mapping|newuidmap|fakeroot.*(not|fail)|capability set|user namespace/i.test(said)
    ? "this node may not allow --fakeroot or containers: try another node, change apptainer.build_args, " +
      `or make a pack, which needs no build: \`euler-files venv pack ${shellWord(name)}\``
    : /dial tcp|no such host|i\/o timeout|connection refused|network is unreachable/i.test(said)
    ? "without internet, set apptainer.base_image to a .sif file: `apptainer pull` makes one on a machine that has it"
    : undefined;
  return new CliError(full ? "no-space" : "tool", message, {
    lines,
    ...(hint === undefined ? {} : { hint }),
  });
}
