// The record of an image, which the file has in two parts: the fields of 1.x in `apptainer.images`, the others in
// `apptainer.image_details`. 1.x refuses an image with fields it doesn't know, and ignores sections. Pure.
import { IMAGE_FIELDS_OF_1 } from "./apptainer_schema.ts";
import type { ApptainerConfig } from "./config.ts";
import type { ConfigEdit } from "./config_edit.ts";

/** The section in which each image has all that is recorded of it. */
export function withImageDetails(section: ApptainerConfig): ApptainerConfig {
  const images = Object.entries(section.images).map(([name, image]) => {
    // 1.x drops the details when it writes the file.
    const kind = image.sif_filename.endsWith(".sqsh") ? { kind: "pack" } : {};
    return [name, { ...kind, ...image, ...detailsOf(section, name) }] as const;
  });
  return { ...section, images: Object.fromEntries(images) };
}

function detailsOf({ image_details = {} }: ApptainerConfig, name: string) {
  return Object.hasOwn(image_details, name) ? image_details[name] : {};
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
      value: details.length === 0 ? undefined : Object.fromEntries(details),
    },
  ];
}
