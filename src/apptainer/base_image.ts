// What an image is built upon: the configured `base_image` as the first lines of a definition. Pure.
import { expandPath, resolvePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";

/** Where the base comes from. */
export interface BaseImage {
  /** As configured, `{version}` filled in. */
  readonly written: string;
  /** The bootstrap agent of the definition. */
  readonly agent: "docker" | "localimage" | "docker-archive" | "oci" | "oci-archive" | "oras" | "library";
  readonly from: string;
  /** The file or directory of a base that needs no network. */
  readonly localPath: string | undefined;
}

const FILE_AGENTS = ["docker-archive", "oci-archive", "oci"] as const;
const REGISTRY_AGENTS = ["docker", "oras", "library"] as const;

/**
 * Reads `base_image`: a Docker reference (`python:{version}-slim`, with or without `docker://`), a `.sif` file or a sandbox
 * directory by its path, `docker-archive:FILE`, `oci-archive:FILE`, `oci:DIRECTORY`, `oras://…`, `library://…`.
 * Throws a CliError `config` for anything else.
 */
export function parseBaseImage(
  template: string,
  pythonSeries: string,
  env: Readonly<Record<string, string>>,
): BaseImage {
  const written = template.replaceAll("{version}", pythonSeries);
  // deno-lint-ignore no-control-regex -- a line break would be another line of the definition
  if (/[\s\x00-\x1f{}]/.test(written)) {
    throw new CliError("config", `Cannot use base_image "${template}": it may hold no blanks and no { but {version}`);
  }
  const origin = { label: "base_image", kind: "config" } as const;
  for (const agent of FILE_AGENTS) {
    if (!written.startsWith(`${agent}:`)) continue;
    const given = written.slice(agent.length + 1).replace(/^\/\/(?=\/)/, "");
    const [path, tag] = splitTag(given);
    const localPath = resolvePath(path, env, "/", origin);
    return { written, agent, from: localPath + tag, localPath };
  }
  for (const agent of REGISTRY_AGENTS) {
    if (!written.startsWith(`${agent}://`)) continue;
    return { written, agent, from: written.slice(agent.length + 3), localPath: undefined };
  }
  if (/^[/~$.]/.test(written) || written.endsWith(".sif")) {
    const expanded = expandPath(written, env, origin);
    if (!expanded.startsWith("/")) {
      throw new CliError("config", `Cannot use base_image "${template}": the path of a file must be absolute`, {
        hint: "start it with /, ~/ or a variable such as $HOME",
      });
    }
    const localPath = resolvePath(expanded, env, "/", origin);
    return { written, agent: "localimage", from: localPath, localPath };
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(written)) {
    throw new CliError("config", `Cannot use base_image "${template}": this kind of address is not known`, {
      hint: "give a Docker reference (python:{version}-slim), the path of a .sif file, or docker-archive:FILE",
    });
  }
  return { written, agent: "docker", from: written, localPath: undefined };
}

/** `oci:/dir:tag`: the part behind the last colon after the last slash is a tag. */
function splitTag(given: string): [path: string, tag: string] {
  const colon = given.indexOf(":", given.lastIndexOf("/") + 1);
  return colon < 0 ? [given, ""] : [given.slice(0, colon), given.slice(colon)];
}

/** The Python that the reference's own tag promises: `3.11` of `docker.io/library/python:3.11.5-slim`; undefined if none. */
export function promisedPython(base: BaseImage): string | undefined {
  if (base.agent !== "docker") return undefined;
  return /(?:^|\/)python:(\d+\.\d+)(?![\d])/.exec(base.from)?.[1];
}
