// What an environment uses and its image will not have: said before a build, because it shows only when a program runs.
import { listSome } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { findOutsideLinks, findOutsidePaths } from "../venv/outside.ts";
import type { ImageInputs } from "./inputs.ts";

/** What stays outside. */
export interface LeftBehind {
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
  /** Links to files outside (uv makes them with UV_LINK_MODE=symlink) whose content is packed; relative to the environment. */
  readonly copied: readonly string[];
}

/** Finds what an image will lack. Reads every directory of the environment. */
export async function findLeftBehind({ venv, packages }: ImageInputs, system: System): Promise<LeftBehind> {
  const links = await findOutsideLinks(venv.path, system);
  const editables = packages.filter(({ editable }) => editable);
  const paths = (await findOutsidePaths(venv.path))
    .filter(({ file }) => !/^__editable__|^_?virtualenv/.test(file) || editables.length === 0);
  const lost = links.filter(({ kind }) => kind === "other");
  return {
    copied: links.filter(({ kind }) => kind === "file").map(({ path }) => path),
    warnings: [
      ...editables.map(({ name, directUrl }) => ({
        text: `${name} is installed as a link to ${directUrl}, which will not be in the image`,
        hint: "install it without --editable, or bind its directory when you run the image",
      })),
      ...(venv.systemSitePackages
        ? [{
          text: "the environment imports packages of its base Python (include-system-site-packages), " +
            "which will not be in the image",
          hint: "install them into the environment, or choose an apptainer.base_image that has them",
        }]
        : []),
      ...paths.map(({ file, path }) => ({
        text: `${file} adds "${path}" to Python's path, which will not be in the image`,
        hint: `bind the directory when you run the image: --bind ${path}`,
      })),
      ...(lost.length === 0 ? [] : [{
        text: "links lead out of the environment, and what they lead to will not be in the image: " +
          listSome(lost.map(({ path, leadsTo }) => `${path} → ${leadsTo}`)),
        hint: "bind the directories when you run the image, with --bind",
      }]),
    ],
  };
}
