// The options that every command takes, described as its own fields are.
import { choice, flag, type RequestOf, text } from "./fields.ts";

/** How progress, notes and warnings are written. */
export const PROGRESS_FORMS = ["text", "json"] as const;

/** Options of every command; none of them is a field of --input-json. */
export const GLOBAL_OPTIONS = {
  json: flag("Print the answer as one JSON document"),
  inputJson: text("Read the request from a JSON file, or from standard input with -", { placeholder: "FILE" }),
  progress: choice(PROGRESS_FORMS, "Report on stderr as text, or as one JSON object a line", { placeholder: "FORM" }),
  quiet: flag("Print no progress and no notes", { short: "-q" }),
  config: text("Use this configuration file instead of ~/.euler-files.json", {
    placeholder: "FILE",
    variable: "EULER_FILES_CONFIG",
  }),
};

/** What was given for {@linkcode GLOBAL_OPTIONS}. */
export type GlobalOptions = RequestOf<typeof GLOBAL_OPTIONS>;

/** What applies if none of these options is given. */
export const NO_OPTIONS: GlobalOptions = {
  json: false,
  inputJson: undefined,
  progress: undefined,
  quiet: false,
  config: undefined,
};
