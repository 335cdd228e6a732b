// Links that lead out of a source, as answers have them.
import * as v from "valibot";
import { NAME_BYTES, pathFields } from "../contract/named_files.ts";
import { type NamedOutsideLinks, OUTSIDE_LINKS_SCHEMA } from "./marker.ts";

/** Links that lead out of a source, in an answer. */
export const OUTSIDE_LINKS_ANSWER = v.pipe(
  v.object({
    ...OUTSIDE_LINKS_SCHEMA.entries,
    named: v.array(v.object({ ...OUTSIDE_LINKS_SCHEMA.entries.named.item.entries, path_bytes: NAME_BYTES })),
  }),
  v.title("OutsideLinks"),
);

/** The links as an answer has them. */
export function outsideLinks({ count, named }: NamedOutsideLinks): v.InferOutput<typeof OUTSIDE_LINKS_ANSWER> {
  return { count, named: named.map((link) => ({ ...link, ...pathFields(link.path) })) };
}
