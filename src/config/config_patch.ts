// The input of `init`: a configuration of which any part may be missing; `null` removes a part (RFC 7396). Pure.
import * as v from "valibot";
import {
  APPTAINER_SCHEMA,
  COMPONENT_NAME_SCHEMA,
  CONFIG_SCHEMA,
  IMAGE_SCHEMA,
  VARIABLE_NAME_SCHEMA,
  VARIABLE_SCHEMA,
} from "./config.ts";
import { jsonObject } from "./json_object.ts";

const VARIABLES_PATCH = v.pipe(
  jsonObject(v.record(VARIABLE_NAME_SCHEMA, v.nullable(patchOf(VARIABLE_SCHEMA)), "must be an object of variables")),
  v.description("Managed environment variables to add or change; null takes one out"),
);

/** The same for the `apptainer` section alone. */
export const APPTAINER_PATCH_SCHEMA: v.GenericSchema<unknown, ConfigPatch> = patchOf(APPTAINER_SCHEMA, {
  images: jsonObject(v.record(COMPONENT_NAME_SCHEMA, v.nullable(patchOf(IMAGE_SCHEMA)), "must be an object of images")),
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
