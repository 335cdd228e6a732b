// One image of an OCI layout as a layout of its own. Apptainer 1.4 takes a tag after the directory (`oci:DIR:TAG`) for a part of
// the directory's name, so a build gets a layout that has only the wanted image (OCI image specification, image-layout.md).
import { CliError, messageOf } from "../errors/errors.ts";
import type { BaseImage } from "./base_image.ts";

/** The annotation that holds a tag. */
const TAG = "org.opencontainers.image.ref.name";

/** Whether the base is one of the images of a layout. Pure. */
export function isTaggedLayout({ agent, from, localPath }: BaseImage): boolean {
  return agent === "oci" && localPath !== undefined && from !== localPath;
}

/** Writes the layout to `directory`, which must not exist; its blobs are a link. Throws a CliError `config` for an unknown tag. */
export async function writeTaggedLayout({ from, localPath, written }: BaseImage, directory: string): Promise<void> {
  const tag = from.slice(localPath!.length + 1);
  const index = await readIndex(`${localPath}/index.json`, written);
  const manifests = index.manifests.filter(({ annotations }) => annotations?.[TAG] === tag);
  if (manifests.length === 0) {
    const known = index.manifests.map(({ annotations }) => annotations?.[TAG]).filter((one) => one !== undefined);
    throw new CliError("config", `Cannot use base_image "${written}": the layout has no tag "${tag}"`, {
      hint: known.length === 0 ? "it has no tags: leave the tag out" : `its tags are ${known.join(", ")}`,
    });
  }
  await Deno.mkdir(directory, { mode: 0o700 });
  await Deno.symlink(`${localPath}/blobs`, `${directory}/blobs`);
  await Deno.copyFile(`${localPath}/oci-layout`, `${directory}/oci-layout`);
  await Deno.writeTextFile(`${directory}/index.json`, JSON.stringify({ ...index, manifests }));
}

interface Index {
  readonly manifests: readonly { readonly annotations?: Readonly<Record<string, string>> }[];
}

async function readIndex(path: string, written: string): Promise<Index> {
  try {
    const index = JSON.parse(await Deno.readTextFile(path)) as Partial<Index>;
    if (Array.isArray(index.manifests)) return index as Index;
    throw new Error("it lists no images");
  } catch (error) {
    throw new CliError("config", `Cannot use base_image "${written}": "${path}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}
