// Events as JSON lines on stderr (`--progress json`), for programs that show them in their own way.
import * as v from "valibot";
import { bytesOf, countOf, secondsOf } from "./answer_fields.ts";
import type { Event } from "./events.ts";
import { PROBLEM_FIELDS } from "./problem.ts";

const SUBJECT = v.pipe(v.string(), v.description("The variable, image or environment it is about"));
const TEXT = v.pipe(v.string(), v.description("For people"));

/** One line. */
export const EVENT_LINE_SCHEMA = v.variant("event", [
  v.pipe(
    v.object({
      event: v.literal("progress"),
      subject: SUBJECT,
      phase: v.pipe(v.string(), v.description("What is being done, in a word for people")),
      files_done: countOf("Files that are done"),
      files_total: v.optional(countOf("All files, if that is known")),
      bytes_done: bytesOf("What is done"),
      bytes_total: v.optional(bytesOf("All of it, if that is known")),
      files_seen: v.optional(countOf("Names that were examined so far")),
      elapsed_seconds: v.optional(secondsOf("How long another process, which is waited for, has been doing it")),
    }),
    v.title("ProgressLine"),
  ),
  v.pipe(
    v.object({
      event: v.literal("done"),
      subject: SUBJECT,
      outcome: v.pipe(
        v.picklist(["good", "idle", "incomplete", "bad"]),
        v.description("done, nothing to do, usable though files are missing, not done"),
      ),
      text: TEXT,
    }),
    v.title("DoneLine"),
  ),
  v.pipe(
    v.object({ event: v.literal("warning"), subject: v.optional(SUBJECT), text: TEXT, hint: v.optional(v.string()) }),
    v.title("WarningLine"),
  ),
  v.pipe(v.object({ event: v.literal("note"), subject: v.optional(SUBJECT), text: TEXT }), v.title("NoteLine")),
  v.pipe(
    v.object({ event: v.literal("output"), text: v.pipe(v.string(), v.description("Of a program that was started")) }),
    v.title("OutputLine"),
  ),
  v.pipe(
    v.object({ event: v.literal("error"), type: v.string(), ...PROBLEM_FIELDS }),
    v.title("ErrorLine"),
    v.description("Why the command could not do its work; without --json alone, which has it in its document"),
  ),
]);

/** See {@linkcode EVENT_LINE_SCHEMA}. */
export type EventLine = v.InferOutput<typeof EVENT_LINE_SCHEMA>;

/** The line of an event; undefined for those that only concern the layout of text. */
export function eventLine(event: Event): EventLine | undefined {
  switch (event.type) {
    case "progress": {
      const { phase, filesDone, filesTotal, bytesDone, bytesTotal, filesSeen, elapsedSeconds } = event.progress;
      return {
        ...{ event: "progress", subject: event.subject, phase, files_done: filesDone, bytes_done: bytesDone },
        ...(filesTotal === undefined ? {} : { files_total: filesTotal }),
        ...(bytesTotal === undefined ? {} : { bytes_total: bytesTotal }),
        ...(filesSeen === undefined ? {} : { files_seen: filesSeen }),
        ...(elapsedSeconds === undefined ? {} : { elapsed_seconds: elapsedSeconds }),
      };
    }
    case "done":
      return { event: "done", subject: event.subject, outcome: event.outcome, text: event.text };
    case "warning": {
      const { type: _, ...fields } = event;
      return { event: "warning", ...fields };
    }
    case "note":
    case "detail": {
      const { type: _, ...fields } = event;
      return { event: "note", ...fields };
    }
    case "output":
      return { event: "output", text: event.text };
    case "subjects":
    case "told":
      return undefined;
  }
}
