// What commands that take a part of the configuration as JSON ask and answer about its fields.
import * as v from "valibot";
import type { Field } from "../contract/fields.ts";
import { SECTIONS } from "./config_patch.ts";

/** The sections that a request takes out. */
export const REMOVED_SECTIONS: Field<readonly typeof SECTIONS[number][]> = {
  schema: v.array(v.picklist(SECTIONS)),
  shape: "list",
  placement: "option",
  help: `Take this whole section out: ${SECTIONS.join(", ")}`,
  default: [],
  placeholder: "SECTION",
};

/** The fields of an answer about the file. */
export const CHANGED_FIELDS = {
  changed: v.pipe(v.array(v.string()), v.description("The fields that were set or changed")),
  removed: v.pipe(v.array(v.string()), v.description("The fields that were taken out")),
};

/** The warning about a section that was null. */
export function keptSection(section: string): string {
  return `${section} was null and stays as it is; \`--remove ${section}\`, or "remove": ["${section}"] beside "config", takes it out`;
}
