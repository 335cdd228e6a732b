// The input of `init`: a configuration of which any part may be missing; `null` removes a part (RFC 7396). Pure.
import * as v from "valibot";
import { CONFIG_SCHEMA, VARIABLE_NAME_SCHEMA, VARIABLE_SCHEMA } from "./config.ts";
import { asObject } from "../text/json_value.ts";
import { APPTAINER_SCHEMA, COMPONENT_NAME_SCHEMA, IMAGE_DETAILS_SCHEMA, IMAGE_SCHEMA } from "./apptainer_schema.ts";
import { jsonObject } from "./json_object.ts";

const VARIABLES_PATCH = v.pipe(
  jsonObject(v.record(VARIABLE_NAME_SCHEMA, v.nullable(patchOf(VARIABLE_SCHEMA)), "must be an object of variables")),
  v.description("Managed environment variables to add or change; null takes one out"),
);

/** The same for the `apptainer` section alone. */
export const APPTAINER_PATCH_SCHEMA: v.GenericSchema<unknown, ConfigPatch> = patchOf(APPTAINER_SCHEMA, {
  images: jsonObject(v.record(COMPONENT_NAME_SCHEMA, v.nullable(patchOf(IMAGE_SCHEMA)), "must be an object of images")),
  image_details: jsonObject(
    v.record(COMPONENT_NAME_SCHEMA, v.nullable(patchOf(IMAGE_DETAILS_SCHEMA)), "must be an object of images"),
  ),
}) as v.GenericSchema<unknown, ConfigPatch>;

/** Checks a patch. Without defaults: what isn't given must stay as it is. */
export const CONFIG_PATCH_SCHEMA: v.GenericSchema<unknown, ConfigPatch> = patchOf(CONFIG_SCHEMA, {
  vars: VARIABLES_PATCH,
  apptainer: APPTAINER_PATCH_SCHEMA,
}) as v.GenericSchema<unknown, ConfigPatch>;

/** Part of a configuration, in the file's names; `null` removes a field. */
export type ConfigPatch = Readonly<Record<string, unknown>>;

/** An object of which every field may be missing or null, some of them with a schema of their own. */
function patchOf(
  schema: { readonly entries: v.ObjectEntries; readonly message: string | undefined },
  own: Readonly<Record<string, v.GenericSchema>> = {},
) {
  const fields = Object.entries(schema.entries).map(([name, field]) => {
    const given = own[name] ?? ("wrapped" in field ? field.wrapped as v.GenericSchema : field as v.GenericSchema);
    return [name, v.optional(v.nullable(given))] as const;
  });
  return jsonObject(v.looseObject(Object.fromEntries(fields), schema.message ?? "must be an object"));
}

/** Parts that hold what a person has collected. Generated types write null for all that isn't set, so null alone keeps these. */
export const SECTIONS = ["vars", "apptainer", "apptainer.images", "migrations"] as const;

/** Fields that can't be taken out, or go with a section: null can only mean that they are not given. */
const REQUIRED = ["version", "scratch_base", "apptainer.image_details"];

/** A patch, and the sections in it that were null without being named for removal. */
export interface GuardedPatch {
  readonly patch: ConfigPatch;
  readonly kept: readonly string[];
}

/** The patch with null only for fields that may be removed: sections must be named in `removed` as well. */
export function guardSections(patch: ConfigPatch, removed: readonly string[]): GuardedPatch {
  const kept: string[] = [];
  const guard = (value: unknown, prefix: string): unknown => {
    const object = asObject(value);
    if (object === undefined) return value;
    const entries = Object.entries(object).flatMap(([name, inner]): [string, unknown][] => {
      const field = prefix + name;
      const isSection = SECTIONS.some((section) => section === field);
      if (inner === null && (REQUIRED.includes(field) || (isSection && !removed.includes(field)))) {
        if (isSection) kept.push(field);
        return [];
      }
      return [[name, field === "apptainer" ? guard(inner, "apptainer.") : inner]];
    });
    return Object.fromEntries(entries);
  };
  const guarded = guard(patch, "") as ConfigPatch;
  const section = removed.includes("apptainer.images")
    ? { apptainer: { ...asObject(guarded.apptainer), images: null, image_details: null } }
    : {};
  const whole = Object.fromEntries(removed.filter((name) => !name.includes(".")).map((name) => [name, null]));
  return { patch: { ...guarded, ...section, ...whole }, kept };
}
