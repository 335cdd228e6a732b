// The options that every command takes, described as its own fields are.
import { flag, type RequestOf, text } from "./fields.ts";

/** Options of every command; none of them is a field of --input-json. */
export const GLOBAL_OPTIONS = {
  json: flag("Print the answer as one JSON document"),
  inputJson: text("Read the request from a JSON file, or from standard input with -", { placeholder: "FILE" }),
  quiet: flag("Print no progress and no notes", { short: "-q" }),
  config: text("Use this configuration file instead of ~/.euler-files.json", { placeholder: "FILE" }),
};

/** What was given for {@linkcode GLOBAL_OPTIONS}. */
export type GlobalOptions = RequestOf<typeof GLOBAL_OPTIONS>;

/** None of them given. */
export const NO_OPTIONS: GlobalOptions = { json: false, inputJson: undefined, quiet: false, config: undefined };
