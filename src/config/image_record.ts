// The record of an image, which the file has in two parts: the fields of 1.x in `apptainer.images`, the others in
// `apptainer.image_details`. 1.x refuses an image with fields it doesn't know, and ignores sections. Pure.
import { IMAGE_FIELDS_OF_1 } from "./apptainer_schema.ts";
import type { ApptainerConfig } from "./config.ts";
import type { ConfigEdit } from "./config_edit.ts";
import { isSame } from "../text/json_value.ts";

/** The section in which each image has all that is recorded of it. */
export function withImageDetails(section: ApptainerConfig): ApptainerConfig {
  const images = Object.entries(section.images).map(([name, image]) => {
    // 1.x drops the details when it writes the file.
    const kind = image.sif_filename.endsWith(".sqsh") ? { kind: "pack" } : {};
    return [name, { ...kind, ...detailsOf(section, name, image.built_at), ...image }] as const;
  });
  return { ...section, images: Object.fromEntries(images) };
}

/** The details, if they are of this image: 1.x and people write another one under its name, and leave them as they are. */
function detailsOf({ image_details = {} }: ApptainerConfig, name: string, builtAt: number) {
  const details = Object.hasOwn(image_details, name) ? image_details[name] : undefined;
  return details?.built_at === builtAt ? details : {};
}

/** The edits that record an image, or that take it out where the record is undefined. */
export function imageEdits(name: string, record: Readonly<Record<string, unknown>> | undefined): ConfigEdit[] {
  const fields = Object.entries(record ?? {}).filter(([, value]) => value !== undefined);
  const isOf1 = ([field]: readonly [string, unknown]) => IMAGE_FIELDS_OF_1.includes(field);
  const details = fields.filter((field) => !isOf1(field));
  return [
    {
      path: ["apptainer", "images", name],
      value: record === undefined ? undefined : Object.fromEntries(fields.filter(isOf1)),
    },
    {
      path: ["apptainer", "image_details", name],
      value: details.length === 0 ? undefined : { built_at: record?.built_at ?? 0, ...Object.fromEntries(details) },
    },
  ];
}

/** The edits, and those that take out the details of the images that they take out. */
export function withoutTheirDetails(edits: readonly ConfigEdit[]): ConfigEdit[] {
  const isGiven = ({ path }: ConfigEdit) => edits.some((edit) => isSame(edit.path, path));
  const added = edits.flatMap(({ path: [section, field, ...name], value }): ConfigEdit[] => {
    const isRemoval = section === "apptainer" && field === "images" && name.length <= 1 && value === undefined;
    return isRemoval ? [{ path: [section, "image_details", ...name], value }] : [];
  });
  return [...edits, ...added.filter((edit) => !isGiven(edit))];
}
