// Whether a directory is as the manifest records it, told from texts alone. Pure.
import type { Entry, EntryState } from "./entry.ts";
import { labelOf, parseLabel, stateText } from "./entry_text.ts";

/** A directory's entries as one text: for each its label and its state, each followed by a NUL. */
export function directoryText(records: readonly (readonly [name: string, state: EntryState])[]): string {
  return records.map(([name, state]) => `${labelOf(name, state.linkTarget)}\0${stateText(state)}\0`).join("");
}

/** The labels and states of {@linkcode directoryText}. */
export function* recordsIn(text: string): Generator<{ readonly label: string; readonly state: string }> {
  const fields = text.split("\0");
  for (let at = 0; at + 1 < fields.length; at += 2) yield { label: fields[at]!, state: fields[at + 1]! };
}

/** How many names {@linkcode directoryText} has. */
export function countRecords(text: string): number {
  return (text.split("\0").length - 1) / 2;
}

/** Whether exactly these entries are recorded, with these states. Directories are mostly read in the same order as before. */
export function hasSameEntries(
  listing: { readonly records: string; readonly entries: readonly Entry[] },
  recorded: string,
): boolean {
  if (listing.records === recorded) return true;
  if (listing.records.length !== recorded.length) return false;
  const there = new Map(listing.entries.map((entry) => [labelOf(entry.name, entry.linkTarget), stateText(entry)]));
  for (const { label, state } of recordsIn(recorded)) {
    if (there.get(label) !== state) return false;
    there.delete(label);
  }
  return there.size === 0;
}

/** Whether all recorded names exist, with the right types; the listing may have more names, and may lack states. */
export function hasAllNames(listing: readonly Entry[], recorded: string): boolean {
  const there = new Map(listing.map((entry) => [entry.name, entry.text?.[0]]));
  for (const { label, state } of recordsIn(recorded)) {
    if (there.get(parseLabel(label).name) !== state[0]) return false;
  }
  return true;
}
