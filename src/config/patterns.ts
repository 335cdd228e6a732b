// Lists of patterns in a configuration, checked one by one.
import * as v from "valibot";
import { faultOfPattern } from "../filter/rule_text.ts";

/** A list of patterns as rsync reads them, without signs of their own. */
export const PATTERNS = v.array(
  v.pipe(
    v.string("must be a pattern"),
    v.check((pattern) => faultOfPattern(pattern) === undefined, (issue) => faultOfPattern(issue.input) ?? ""),
  ),
  "must be a list of patterns",
);
